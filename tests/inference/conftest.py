from __future__ import annotations

import numpy as np
import pytest
import torch

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band
from geocnn_gui.data.statistics import BandStatistics
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.weights import ModelCard

#: Ids with a gap, so that class numbers and ids cannot be mixed up unnoticed.
IDS = (2, 5, 9)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_card():
    def make(spec=None, *, bands=1, section_axes=()) -> ModelCard:
        unit = BandStatistics(median=0, scale=1, low=-2, high=2, minimum=-3, maximum=3, exact=True)
        return ModelCard(
            spec=spec or UNetSpec(depth=2, width=8),
            classes=tuple(LabelClass(id=i, name=f"c{i}", color="#112233") for i in IDS),
            bands=("amplitude",) * bands,
            domain="seismic",
            scaling=Scaling(mode="stored", statistics=(unit,) * bands),
            section_axes=section_axes,
        )

    return make


@pytest.fixture
def make_net():
    """Random networks that name every class somewhere, with batch norms that do something."""

    def make(spec, *, bands=1, seed=0):
        torch.manual_seed(seed)
        net = build(spec, bands, len(IDS))
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.2)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
        net.eval()
        with torch.inference_mode():
            logits = net(torch.randn(1, bands, 128, 128))
        with torch.no_grad():
            net.head.bias -= logits.mean((0, 2, 3)).clone()
            net.head.weight *= 2 / logits.std()
            net.head.bias *= 2 / logits.std()
        return net

    return make


@pytest.fixture
def make_source():
    def make(shape, *, seed=0) -> ArraySource:
        values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        names = ("trace", "time") if len(shape) == 2 else ("inline", "crossline", "time")
        axes = tuple(Axis(n, "", 0.0, 1.0, size) for n, size in zip(names, shape, strict=True))
        return ArraySource(
            values, kind="line" if len(shape) == 2 else "cube", axes=axes,
            bands=(Band("amplitude"),), domain="seismic", name="noise",
        )  # fmt: skip

    return make

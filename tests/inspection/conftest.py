"""Networks and data to look inside of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geocnn_gui.data.source import open_source
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.inspection.spec import Place
from geocnn_gui.inspection.subject import Subject
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.models.weights import ModelCard

CLASSES = tuple(LabelClass(id=n + 1, name=f"Kind {n}", color="#112233") for n in range(3))


@pytest.fixture
def source(tmp_path):
    """A picture of 150 x 170 cells of noise."""
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(1).normal(size=(150, 170)).astype(np.float32))
    with open_source(path, domain="imagery") as opened:
        yield opened


def card_for(spec, source, classes=CLASSES):
    """Return the card of an untrained model of a source."""
    return ModelCard(
        spec=spec, classes=classes, bands=tuple(b.name for b in source.bands),
        domain=source.domain,
        scaling=Scaling(mode="stored", statistics=estimate_statistics(source)),
    )  # fmt: skip


@pytest.fixture
def subject_of(source):
    """Return a function that makes a subject of a spec, or of a network of its own."""

    def make(spec=None, net=None, where=None):
        spec, where = spec or CnnSpec(patch=20, width=4), where or source
        torch.manual_seed(3)
        net = net or build(spec, len(where.bands), 3)
        for module in net.modules():  # statistics as a training leaves them
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
        return Subject(net, card_for(spec, where), where)

    return make


@pytest.fixture
def middle(source):
    """The place in the middle of the picture."""
    return Place(source.first_section(), 75, 85)

from __future__ import annotations

import pytest
import torch
from torch import nn

from geocnn_gui.inference.folding import folded
from geocnn_gui.models.networks import build
from tests.models.small_specs import NAMES, data_for, small


@pytest.mark.parametrize("kind", NAMES)
def test_that_a_folded_network_answers_the_same_without_its_batch_norms(kind):
    torch.manual_seed(0)
    net = build(small(kind), 2, 3)
    with torch.no_grad():  # statistics other than 0 and 1
        net.train()(data_for(net, 2, 64 if net.dims < 3 else 16, 64))
    net.eval()
    made = folded(net)
    picture = data_for(net, 2, 64 if net.dims < 3 else 16, 64, n=1)
    with torch.inference_mode():
        torch.testing.assert_close(made(picture), net(picture), atol=1e-4, rtol=1e-4)
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    assert not any(isinstance(part, norms) for part in made.modules())

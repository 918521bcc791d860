from __future__ import annotations

import pytest
import torch
from torch import nn

from geocnn_gui.inference.folding import folded
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import SPECS


@pytest.mark.parametrize("kind", SPECS)
def test_that_a_folded_network_answers_the_same_without_its_batch_norms(kind):
    torch.manual_seed(0)
    net = build(SPECS[kind](), 2, 3)
    with torch.no_grad():  # statistics other than 0 and 1
        net.train()(torch.randn(2, 2, 64, 64))
    net.eval()
    made = folded(net)
    picture = torch.randn(1, 2, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(made(picture), net(picture), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in made.modules())

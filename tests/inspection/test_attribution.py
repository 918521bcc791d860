"""Attributions and receptive fields of networks whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from torch.nn import functional

from geocnn_gui.data.source import Section
from geocnn_gui.errors import BadRequest
from geocnn_gui.inspection.attribution import attribute, grad_cam
from geocnn_gui.inspection.fields import effective_field, span_of, theoretical_field, windows
from geocnn_gui.inspection.spec import METHODS, Place
from geocnn_gui.models.base import PatchNet, SegmentationNet
from geocnn_gui.models.spec import UNetSpec


class Linear(SegmentationNet):
    """Three 3x3 convolutions; the answer is linear in the data."""

    halo, stride, patch = 3, 1, 16

    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = (
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in ((1, 2), (2, 2), (2, 3))
        )

    def forward(self, pictures):
        """Map (n, 1, h, w) to (n, 3, h, w)."""
        return self.three(self.two(self.one(pictures)))


class Corner(PatchNet):
    """Two maps, the data's positive and negative part; the answer is the mean of the first."""

    halo, stride, patch = 4, 1, 8

    def __init__(self):
        super().__init__()
        self.split = nn.Conv2d(1, 2, 1, bias=False)
        self.split.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)

    def training_logits(self, patches):
        """Map patches to (n, 3, 1, 1)."""
        mean = functional.relu(self.split(patches)).mean((2, 3), keepdim=True)[:, :1]
        return torch.cat([mean, -mean, 0 * mean], 1)

    def forward(self, pictures):
        """Not needed here."""
        raise NotImplementedError


def test_that_grad_cam_of_a_known_network_is_what_it_must_be(subject_of, middle):
    subject = subject_of(net=Corner())
    look = subject.look(middle)
    cam = grad_cam(subject, look, "split.relu", output=0)
    assert np.allclose(cam, np.maximum(look.values[0], 0) / 64, atol=1e-7)
    assert not grad_cam(subject, look, "split.relu", output=1).any()


def test_that_grad_cam_agrees_with_captum(subject_of, middle):
    subject = subject_of(UNetSpec(depth=2, width=8))
    look = subject.look(middle)

    def answer(values):
        return subject.net(values)[:, :, look.at[0], look.at[1]]

    layer = subject.net.down[0][3]
    cam = LayerGradCam(answer, layer).attribute(
        torch.from_numpy(look.values)[None].requires_grad_(True), target=2, relu_attributions=True
    )[0, 0].detach().numpy()  # fmt: skip
    assert cam.any()
    assert np.allclose(grad_cam(subject, look, "down.0.3", output=2), cam, atol=1e-7)


def test_that_integrated_gradients_of_a_linear_network_are_weight_times_value(subject_of, middle):
    subject = subject_of(net=Linear())
    look = subject.look(middle)
    found = attribute(subject, look, "integrated", output=1)
    batch = torch.from_numpy(look.values)[None].requires_grad_(True)
    logit = subject.net(batch)[0, 1, look.at[0], look.at[1]]
    (slopes,) = torch.autograd.grad(logit, batch)
    assert np.allclose(found.values, (slopes * batch)[0, 0].detach(), atol=1e-5)
    assert found.values.sum() == pytest.approx(logit.item(), abs=1e-4)
    assert found.gap < 1e-3


def test_that_covering_what_the_answer_hangs_on_lowers_it(subject_of, middle):
    subject = subject_of(net=Corner())
    look = subject.look(middle)
    values = attribute(subject, look, "occlusion", output=0).values
    assert np.allclose(values, np.maximum(look.values[0], 0) / 64, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_that_only_the_trace_in_the_middle_speaks_in_a_network_of_traces(
    subject_of, middle, method
):
    class Traces(PatchNet):
        halo, stride, patch, dims = 4, 1, 8, 1

        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(1, 4, 3, padding=1), nn.Linear(32, 3)

        def training_logits(self, patches):
            made = self.conv(patches[..., 0]).relu().flatten(1)
            return self.head(made)[:, :, None, None]

    subject = subject_of(net=Traces())
    look = subject.look(middle)
    values = attribute(subject, look, method, output=int(np.argmax(
        [each.logit for each in subject.outputs(look)]))).values  # fmt: skip
    assert values.shape == look.size == (8, 33)
    assert not np.delete(values, look.at[1], axis=1).any()
    assert values.any()


def test_that_a_layer_which_does_not_lead_to_the_answer_has_no_grad_cam(subject_of, middle):
    class Aside(Linear):
        def __init__(self):
            super().__init__()
            self.aside = nn.Conv2d(1, 1, 1)

        def forward(self, pictures):
            self.aside(pictures)
            return super().forward(pictures)

    subject = subject_of(net=Aside())
    with pytest.raises(BadRequest, match="does not lead to the answer"):
        grad_cam(subject, subject.look(middle), "aside", output=0)


def test_that_the_theoretical_field_of_three_small_kernels_is_seven_wide(subject_of, middle):
    subject = subject_of(net=Linear())
    look = subject.look(middle, size=21)
    fields = [theoretical_field(subject, look, name) for name in ("one", "two", "")]
    assert [field.size for field in fields] == [(3, 3), (5, 5), (7, 7)]
    assert fields[2].rows == fields[2].columns == slice(-3, 4)
    assert [field.cells for field in fields] == [9, 25, 49]
    assert not fields[2].cut


def test_that_a_field_larger_than_the_window_says_so(subject_of, middle):
    subject = subject_of(net=Linear())
    assert theoretical_field(subject, subject.look(middle, size=5)).cut


@pytest.mark.parametrize("depth", [2, 3])
def test_that_what_a_network_can_see_lies_within_its_halo(subject_of, depth):
    subject = subject_of(UNetSpec(depth=depth, width=8))
    for at in ((64, 64), (71, 69)):
        look = subject.look(Place(Section(), *at))
        field = theoretical_field(subject, look)
        halo, phase = subject.net.halo, [n % subject.net.stride for n in at]
        assert not field.cut
        for span, within in zip((field.rows, field.columns), phase, strict=True):
            assert -halo <= span.start + within
            assert span.stop + within <= halo + subject.net.stride


def test_that_what_a_network_looks_at_lies_within_what_it_can_see(subject_of, middle):
    subject = subject_of()
    looks = list(windows(subject, middle.section, 6))
    assert len(looks) == 6
    assert len({look.place for look in looks}) == 6
    whole, used = theoretical_field(subject, looks[0]), effective_field(subject, looks)
    assert used.weights.max() == pytest.approx(1)
    assert whole.rows.start <= used.rows.start < used.rows.stop <= whole.rows.stop
    assert whole.columns.start <= used.columns.start < used.columns.stop <= whole.columns.stop
    assert used.cells <= whole.cells


def test_that_the_effective_field_of_a_linear_network_is_its_kernel(subject_of, middle):
    subject = subject_of(net=Linear())
    looks = list(windows(subject, middle.section, 3))
    batch = torch.from_numpy(looks[0].values)[None].requires_grad_(True)
    logit = subject.net(batch)[0, :, looks[0].at[0], looks[0].at[1]].sum()
    (slopes,) = torch.autograd.grad(logit, batch)
    slopes = slopes[0, 0].abs().numpy()
    assert np.allclose(effective_field(subject, looks).weights, slopes / slopes.max(), atol=1e-5)


def test_that_maps_of_unpadded_layers_lie_where_their_cells_look(subject_of, middle):
    subject = subject_of()  # of 20 cells: 5x5, halved, 3x3, halved
    look = subject.look(middle)
    spans = {name: span_of(subject, look, name)[0] for name in ("convs.0", "convs.0.max_pool",
                                                               "convs.1")}  # fmt: skip
    assert spans["convs.0"] == pytest.approx((2, 18))
    assert spans["convs.0.max_pool"] == pytest.approx((2, 18))
    assert spans["convs.1"] == pytest.approx((4, 16))

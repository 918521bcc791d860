"""Memory that ends at any step of a training: it goes on with less at once, to the same end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from training_lines import CLASSES, a_pair

from geocnn_gui.events import EpochDone, Note, Saved
from geocnn_gui.inference.device import Device
from geocnn_gui.inference.memory import NotEnoughMemory
from geocnn_gui.models.networks import PatchCnn, UNet
from geocnn_gui.models.spec import CnnSpec, UNetSpec
from geocnn_gui.models.weights import load_model, read_card
from geocnn_gui.training import holdout, room, step
from geocnn_gui.training.run import Order, train
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from pathlib import Path

CPU = Device("cpu", "cpu", "CPU", channels_last=False)
#: Without batch norm and dropout parts of a batch give what the whole gives.
CNN = CnnSpec(patch=20, width=4, dropout=0)
UNET = UNetSpec(depth=2, width=8, dropout=0.2)
QUICK = TrainingSpec(epochs=2, steps_per_epoch=2, batch=5)
EVERY = range(1, 9)  # steps of both stages


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    monkeypatch.setattr(room, "has_bf16", lambda _: False)


class Breaker:
    """Raises at the calls of a function that `when` names, counted from 1."""

    def __init__(self, call, when, error=None, *, after=False):
        self.call, self.when, self.after, self.calls = call, when, after, 0
        self.error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    def __call__(self, *arguments, **options):
        self.calls += 1
        if self.calls not in self.when:
            return self.call(*arguments, **options)
        if self.after:
            self.call(*arguments, **options)
        raise self.error


def broken(monkeypatch, owner, name, when, **options):
    breaker = Breaker(getattr(owner, name), when, **options)
    monkeypatch.setattr(owner, name, lambda *a, **o: breaker(*a, **o))
    return breaker


def learn(out: Path, spec=CNN, **changes):
    return list(train(Order([a_pair()], spec, QUICK.model_copy(update=changes), CLASSES, out, CPU)))


def notes(events) -> list[str]:
    return [e.text for e in events if isinstance(e, Note) and "memory: " in e.text]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return what each network learns when memory never ends."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
        for spec in (CNN, UNET):
            out = tmp_path_factory.mktemp("plain") / "m"
            learn(out, spec)
            found[spec.kind] = load_model(out)[0].state_dict()
    return found


def assert_near(out: Path, expected) -> None:
    weights = load_model(out)[0].state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, atol=1e-4, rtol=1e-3)


PLACES = {
    "forward": (PatchCnn, "training_logits", False),
    "after the forward pass": (PatchCnn, "training_logits", True),
    "drawing": (step, "_draw", True),
    "backward": (torch.Tensor, "backward", True),
    "clipping": (torch.nn.utils, "clip_grad_norm_", True),
    "changing the weights": (torch.optim.AdamW, "step", False),
}


@pytest.mark.parametrize(
    ("place", "at"),
    [(place, at) for place in PLACES for at in EVERY if place == "backward" or at in (1, 6)],
)
def test_that_a_training_ends_the_same_wherever_memory_ends(
    place, at, undisturbed, tmp_path, monkeypatch
):
    owner, name, after = PLACES[place]
    free = 1 if name == "training_logits" else 0  # the first look at what a patch takes
    broken(monkeypatch, owner, name, {at + free}, after=after)
    events = learn(tmp_path / "m")
    (note,) = notes(events)
    assert "parts of 3 patches" in note
    assert "batch norm sees the parts" in note
    assert events[-1] == Saved(tmp_path / "m", "model")
    assert sum(e.stage == "refit" for e in events if isinstance(e, EpochDone)) >= 1
    assert_near(tmp_path / "m", undisturbed["cnn"])


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA error: out of memory"),
])  # fmt: skip
def test_that_every_way_of_saying_it_is_understood(error, tmp_path, monkeypatch):
    broken(monkeypatch, UNet, "training_logits", {3}, error=error)
    assert len(notes(learn(tmp_path / "m", UNET))) == 1


def test_that_other_failures_are_not_taken_for_it(tmp_path, monkeypatch):
    broken(monkeypatch, UNet, "training_logits", {3}, error=RuntimeError("the card fell out"))
    with pytest.raises(RuntimeError, match="fell out"):
        learn(tmp_path / "m", UNET)


def test_that_a_failed_step_leaves_no_trace_in_batch_norm(undisturbed, tmp_path, monkeypatch):
    """Done again with the whole batch, a step gives the very same network."""
    monkeypatch.setattr(room.Room, "_halve", lambda self: None)
    broken(monkeypatch, torch.Tensor, "backward", {2, 5, 7})
    events = learn(tmp_path / "m", UNET)
    assert len(notes(events)) == 3
    weights = load_model(tmp_path / "m")[0].state_dict()
    assert all(torch.equal(weights[k], v) for k, v in undisturbed["unet"].items())


def test_that_it_goes_down_to_single_patches_and_then_says_what_to_do(tmp_path, monkeypatch):
    out, checkpoint = tmp_path / "m", tmp_path / "check"
    broken(monkeypatch, PatchCnn, "training_logits", range(5, 1000))
    order = Order([a_pair()], CNN, QUICK, CLASSES, out, CPU, checkpoint)
    events = []
    with pytest.raises(NotEnoughMemory, match=r"single patch does not fit.*; close other"):
        events.extend(train(order))
    assert checkpoint.exists()
    assert read_card(out).training.stopped_early


@pytest.mark.parametrize("at", [1, 2, 3])
def test_that_scoring_goes_on_in_smaller_pieces(at, undisturbed, tmp_path, monkeypatch):
    broken(monkeypatch, holdout, "_pass", {at})
    events = learn(tmp_path / "m")
    assert any("smaller pieces" in note for note in notes(events))
    assert_near(tmp_path / "m", undisturbed["cnn"])


def test_that_pieces_score_like_the_whole(tmp_path, monkeypatch):
    whole = [e for e in learn(tmp_path / "a", UNET) if isinstance(e, EpochDone)]
    broken(monkeypatch, holdout, "_pass", {1, 2, 3, 4, 5})
    pieces = [e for e in learn(tmp_path / "b", UNET) if isinstance(e, EpochDone)]
    for one, two in zip(whole, pieces, strict=True):
        assert one.holdout_iou == pytest.approx(two.holdout_iou, abs=1e-4)
        assert one.holdout_loss == pytest.approx(two.holdout_loss, abs=1e-4)


def test_that_bfloat16_comes_before_giving_up(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "has_bf16", lambda _: True)
    broken(monkeypatch, PatchCnn, "training_logits", {2, 3, 4, 5})  # batches of 5, 3, 2, 1
    told = notes(learn(tmp_path / "m"))
    assert "1 patch " in told[2]
    assert "bfloat16" in told[3]


def test_that_it_leaves_the_gpu_for_the_processor():
    there = room.Room(Device("cuda", "cuda:0", "A card", bf16=True), 4, patches=1)
    note = there.less_for_steps(MemoryError())
    assert note.warning
    assert "Out of memory on A card" in note.text
    assert (there.device.kind, there.device.bf16, there.patches) == ("cpu", False, 4)


class Card(Device):
    """Says that it is a graphics card, and computes on the processor."""

    kind = "cuda"


@pytest.mark.parametrize("at", [2, 7])
def test_that_a_training_ends_the_same_on_the_processor(at, undisturbed, tmp_path, monkeypatch):
    card = Card("cuda", "cpu:0", "A card", channels_last=False)
    placed: list[str] = []
    real = Device.place
    monkeypatch.setattr(
        Device, "place", lambda self, net: placed.append(self.kind) or real(self, net)
    )
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**33, 2**34))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda _: torch.zeros(16, dtype=torch.uint8))
    broken(monkeypatch, PatchCnn, "training_logits", {at, at + 1, at + 2, at + 3})
    events = list(train(Order([a_pair()], CNN, QUICK, CLASSES, tmp_path / "m", card)))
    told = [e for e in events if isinstance(e, Note) and "Out of memory" in e.text]
    assert ["parts of" in note.text for note in told] == [True, True, True, False]
    assert told[-1].warning
    assert "on A card: it goes on on CPU" in told[-1].text
    assert placed[0] == "cuda"
    assert placed[-1] == "cpu"
    assert_near(tmp_path / "m", undisturbed["cnn"])


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize("patches", [1, 2, 3, 5])
def test_that_gradients_of_parts_add_up_to_those_of_the_batch(balance, patches):
    torch.manual_seed(0)
    net = UNet(UNetSpec(depth=2, width=8, dropout=0), 1, 3).eval()
    values, labels = torch.randn(5, 1, 32, 32), torch.randint(0, 4, (5, 32, 32))
    labels[0], labels[1, :30] = 0, 1  # one patch without labels, classes unevenly spread

    def gradients(most: int) -> list[torch.Tensor]:
        net.zero_grad()
        share = step.share_of(labels, 3, balance=balance)
        for start in range(0, 5, most):
            part = slice(start, start + most)
            step.loss_of(net(values[part]), labels[part], share).backward()
        return [p.grad.clone() for p in net.parameters()]

    for whole, part in zip(gradients(5), gradients(patches), strict=True):
        torch.testing.assert_close(part, whole, atol=1e-5, rtol=1e-5)


def test_that_a_step_is_planned_by_what_is_free(monkeypatch):
    net = UNet(UNET, 1, 2)
    each = room.bytes_of_patch(net, 1)
    monkeypatch.setattr(room, "free_memory", lambda: int(2 * 5 * each))
    small = room.Room(CPU, 16)
    assert "parts of 4 patches" in small.plan(net, 1).text
    assert small.patches == 4
    monkeypatch.setattr(room, "free_memory", lambda: 10**12)
    assert "1000.0 GB of memory are free" in room.Room(CPU, 16).plan(net, 1).text

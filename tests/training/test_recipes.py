"""Losses, optimisers and schedules as they are taught; each goes on after a break as if there was none."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from training_lines import CLASSES, CPU, a_line, a_pair

from geocnn_gui.events import EpochDone, Note
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import CnnSpec, UNetSpec
from geocnn_gui.models.weights import load_model
from geocnn_gui.training import room
from geocnn_gui.training.checkpoint import read_checkpoint, require_same_specs
from geocnn_gui.training.losses import fixed_weights, loss_of, share_of
from geocnn_gui.training.recipe import make_optimizer, make_schedule
from geocnn_gui.training.run import Order, resume, train
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import LOSSES, OPTIMIZERS, SCHEDULES, TrainingSpec

CNN = CnnSpec(patch=20, width=4, dropout=0)
QUICK = TrainingSpec(epochs=2, steps_per_epoch=2, batch=3)
FILES = Path(__file__).parents[1] / "files"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    monkeypatch.setattr(room, "has_bf16", lambda _: True)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def begin(folder: Path, *, pair=None, **changes):
    folder.mkdir(exist_ok=True)
    training = QUICK.model_copy(update=changes)
    order = (
        [pair or a_pair()], CNN, training, CLASSES, folder / "model", CPU, folder / "check",
    )  # fmt: skip
    return train(Order(*order))


def go_on(folder: Path):
    return resume(folder / "check", [a_pair()], out=folder / "model", device=CPU)


def stop_after(events, count: int) -> list[EpochDone]:
    found = list(islice((e for e in events if isinstance(e, EpochDone)), count))
    events.close()
    return found


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder / "model")[0].state_dict()


def assert_same(one: Path, two: Path) -> None:
    a, b = weights(one), weights(two)
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [*((name, "one-cycle") for name in OPTIMIZERS if name != "adamw"),
     *(("momentum", name) for name in SCHEDULES if name != "one-cycle")],
)  # fmt: skip
def test_that_every_optimiser_and_schedule_goes_on_bit_for_bit(optimizer, schedule, tmp_path):
    recipe = {"optimizer": optimizer, "schedule": schedule, "refit": False, "epochs": 3}
    whole = [e for e in begin(tmp_path / "whole", **recipe) if isinstance(e, EpochDone)]
    parts = stop_after(begin(tmp_path / "parts", **recipe), 1)
    parts += stop_after(go_on(tmp_path / "parts"), 1)
    parts += [e for e in go_on(tmp_path / "parts") if isinstance(e, EpochDone)]
    assert parts == whole
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_that_a_training_begun_before_recipes_goes_on(tmp_path):
    """The stored checkpoint was written after the first epoch by a version without recipes."""
    shutil.copy(FILES / "training_v2.checkpoint", tmp_path / "check")
    then = read_checkpoint(tmp_path / "check").card
    assert (then.training.learning_rate, then.training.optimizer) == (3e-3, "adamw")
    require_same_specs(then, then.model, TrainingSpec(epochs=2, steps_per_epoch=2, batch=2))
    told = [e for e in go_on(tmp_path) if isinstance(e, EpochDone)]
    assert [(e.stage, e.epoch) for e in told][:2] == [("holdout", 2), ("refit", 1)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_that_a_step_makes_nothing_that_was_not_there(optimizer):
    net = build(UNetSpec(depth=2, width=8), 1, 2)
    made = make_optimizer(TrainingSpec(optimizer=optimizer), net.parameter_groups(0.1))

    def kept() -> list[int]:
        return [v.data_ptr() for state in made.state.values() for v in state.values()]

    before = kept()
    net(torch.randn(1, 1, 16, 16)).sum().backward()
    made.step()
    assert kept() == before


class Breaker:
    """Raises at one call of a function, then lets all through."""

    def __init__(self, call, at):
        self.call, self.at, self.calls = call, at, 0

    def __call__(self, *arguments, **options):
        self.calls += 1
        if self.calls == self.at:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return self.call(*arguments, **options)


@pytest.mark.parametrize(
    ("optimizer", "at"), [*((name, 4) for name in OPTIMIZERS), ("rmsprop", 1), ("momentum", 1)]
)
def test_that_memory_that_ends_in_a_step_leaves_no_trace(optimizer, at, tmp_path, monkeypatch):
    """Done again with the whole batch, the step gives the very same network."""
    monkeypatch.setattr(room.Room, "_halve", lambda self: None)
    recipe = {"optimizer": optimizer, "refit": False}
    list(begin(tmp_path / "whole", **recipe))
    kind = type(
        make_optimizer(TrainingSpec(optimizer=optimizer), build(CNN, 1, 2).parameter_groups(1))
    )
    # RMSProp changes one weight after another: the fifth of ten of the first or second step.
    where = (torch.Tensor, "addcdiv_", 5 if at == 1 else 15)
    owner, name, call = where if optimizer == "rmsprop" else (kind, "step", at)
    breaker = Breaker(getattr(owner, name), call)
    monkeypatch.setattr(owner, name, lambda *a, **o: breaker(*a, **o))
    events = list(begin(tmp_path / "broken", **recipe))
    assert sum("done again" in e.text for e in events if isinstance(e, Note)) == 1
    assert_same(tmp_path / "whole", tmp_path / "broken")


def test_that_float32_is_kept_where_it_was_asked_for():
    assert room.Room(CPU, 1).elsewhere("A step", MemoryError()).text.count("bfloat16")
    with pytest.raises(room.NotEnoughMemory):
        room.Room(CPU, 1, exact=True).elsewhere("A step", MemoryError())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_that_a_training_runs_in_the_precision_that_was_asked_for(precision, tmp_path):
    stop_after(begin(tmp_path, precision=precision), 1)
    assert read_checkpoint(tmp_path / "check").card.device.bf16 == (precision == "bfloat16")


# ---- Losses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("patches", [1, 2, 5])
def test_that_every_loss_adds_up_over_parts_of_a_batch(loss, patches):
    torch.manual_seed(0)
    spec, logits = TrainingSpec(loss=loss), torch.randn(5, 3, 8, 8)
    labels = torch.randint(0, 4, (5, 8, 8))
    labels[0] = 0
    share = share_of(labels, 3, balance=True)
    whole = loss_of(logits, labels, share, spec)
    parts = [
        loss_of(logits[i : i + patches], labels[i : i + patches], share, spec)
        for i in range(0, 5, patches)
    ]
    torch.testing.assert_close(sum(parts), whole)


def a_cell(*logits: float) -> torch.Tensor:
    return torch.tensor(logits).reshape(1, -1, 1, 1)


def one_loss(spec: TrainingSpec, logits: torch.Tensor, label: int) -> float:
    labels = torch.full((1, 1, 1), label)
    return float(loss_of(logits, labels, share_of(labels, 2, balance=False), spec))


def test_that_losses_are_those_of_the_books():
    logits = a_cell(0.0, float(np.log(3)))  # probabilities 1/4 and 3/4
    plain = TrainingSpec(smoothing=0)
    assert one_loss(plain, logits, 2) == pytest.approx(-np.log(0.75))
    focal = TrainingSpec(loss="focal")
    assert one_loss(focal, logits, 2) == pytest.approx(-np.log(0.75) / 16)
    assert one_loss(TrainingSpec(loss="mse"), logits, 2) == pytest.approx(2 / 16)
    dice = TrainingSpec(loss="dice", smoothing=0)
    assert one_loss(dice, logits, 2) == pytest.approx(-np.log(0.75) + 1 - 1.5 / 1.75)


def test_that_focal_without_focus_is_cross_entropy():
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(1, 4, (2, 4, 4))
    share = share_of(labels, 3, balance=False)
    found = loss_of(logits, labels, share, TrainingSpec(loss="focal", focus=0))
    torch.testing.assert_close(found, functional.cross_entropy(logits, labels - 1))


def test_that_fixed_weights_make_rare_classes_count_alike():
    assert fixed_weights(torch.tensor([0.2, 0.8])).tolist() == pytest.approx([2.5, 0.625])


@pytest.mark.parametrize("loss", LOSSES)
def test_that_a_training_learns_by_every_loss(loss, tmp_path):
    told = begin(tmp_path, loss=loss, refit=False, epochs=3, steps_per_epoch=6, batch=8)
    losses = [e.loss for e in told if isinstance(e, EpochDone)]
    assert losses[-1] < losses[0]


# ---- Schedules ---------------------------------------------------------------------------------


def rates(steps: int = 8, **recipe) -> list[float]:
    spec = TrainingSpec(optimizer="sgd", learning_rate=1, **recipe)
    net = torch.nn.Linear(1, 1)
    optimizer = make_optimizer(spec, [{"params": list(net.parameters()), "lr": spec.rate}])
    schedule, found = make_schedule(spec, optimizer, steps), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_that_rates_go_as_they_are_named():
    assert rates(schedule="constant") == [1] * 8
    assert rates(schedule="step") == pytest.approx([1] * 4 + [0.1] * 2 + [0.01] * 2)
    assert rates(4, schedule="cosine") == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-6)


def test_that_a_plateau_lowers_the_rate(tmp_path):
    still = {**TEXTBOOK, "schedule": "plateau", "learning_rate": 1e-9, "epochs": 9}
    stop_after(begin(tmp_path, pair=a_few(), **still), 8)
    groups = read_checkpoint(tmp_path / "check").card.fitting.groups
    assert groups[0]["lr"] == pytest.approx(1e-10)


def test_that_rates_left_at_auto_are_those_of_the_literature():
    found = {name: TrainingSpec(optimizer=name).rate for name in OPTIMIZERS}
    assert found == {
        "adamw": 3e-3, "adam": 1e-3, "sgd": 1e-2, "momentum": 1e-2, "adagrad": 1e-2,
        "rmsprop": 1e-3,
    }  # fmt: skip
    assert TrainingSpec().decay == 1e-2
    assert TrainingSpec(optimizer="adam").decay == 0


# ---- Batches, patience, averages ---------------------------------------------------------------


def a_few() -> Pair:
    source, truth = a_line()
    few = np.zeros_like(truth)
    few[10:250:24, 4:156:16] = truth[10:250:24, 4:156:16]
    return Pair(source, LabelSnapshot.from_array(few))


TEXTBOOK = {
    "epochs": 6, "batch": 0, "optimizer": "adam", "learning_rate": 1.5e-3, "schedule": "constant",
    "augment": False, "balance": False, "average": False, "smoothing": 0.0, "clip": 0.0,
    "patience": 0, "refit": False, "precision": "float32",
}  # fmt: skip


def test_that_the_recipe_of_the_books_is_that_very_loop(tmp_path, monkeypatch):
    """Adam, all samples at once, cross-entropy and nothing else."""
    kept = []
    from geocnn_gui.training import step

    taken = step._drawn
    monkeypatch.setattr(step, "_drawn", lambda *a: kept.append(taken(*a)) or kept[-1])
    told = [e for e in begin(tmp_path, pair=a_few(), **TEXTBOOK) if isinstance(e, EpochDone)]
    values, labels = kept[0]
    assert all(each[0] is values for each in kept)
    assert len(kept) == 6

    torch.manual_seed(0)
    net = build(CNN, 1, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=1.5e-3)
    for epoch in told:
        truth = net.training_labels(labels).long() - 1
        loss = functional.cross_entropy(net.training_logits(values), truth)
        assert epoch.loss == pytest.approx(loss.item(), rel=1e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_that_all_at_once_is_said_and_every_cell_taken_once(tmp_path):
    events = list(begin(tmp_path, pair=a_few(), **{**TEXTBOOK, "epochs": 1}))
    (text,) = [e.text for e in events if isinstance(e, Note) and "All at once" in e.text]
    assert "patches in a step." in text
    assert 20 < int(text.split()[3]) < 100


def test_that_one_sample_at_a_time_can_be_learned_from(tmp_path):
    assert stop_after(begin(tmp_path, batch=1), 1)[0].loss > 0


def test_that_without_an_average_the_last_weights_are_kept(tmp_path):
    stop_after(begin(tmp_path, average=False), 2)
    start = read_checkpoint(tmp_path / "check")
    net, averaged = start.part("net"), start.part("averaged.module")
    assert all(torch.equal(net[key], averaged[key]) for key in net)


def test_that_patience_can_be_left_off(tmp_path):
    told = begin(
        tmp_path, learning_rate=1e-9, epochs=12, patience=0, steps_per_epoch=1, refit=False
    )
    assert len([e for e in told if isinstance(e, EpochDone)]) == 12

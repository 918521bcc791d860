"""The search for a learning rate, on data that can be learned and on data that cannot."""

from __future__ import annotations

import json

import pytest
from training_lines import CLASSES, CPU, a_pair

from geocnn_gui.cli.app import run as run_cli
from geocnn_gui.events import Note, RateFound, RateTried
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.training.rate_finder import find_rate, suggest
from geocnn_gui.training.run import Order
from geocnn_gui.training.spec import TrainingSpec

CNN = CnnSpec(patch=20, width=4)
QUICK = TrainingSpec(batch=8, augment=False)


def search(pair=None, **changes):
    from pathlib import Path

    training = QUICK.model_copy(update=changes)
    return find_rate(Order([pair or a_pair()], CNN, training, CLASSES, Path(), CPU))


def test_that_a_rate_is_suggested_where_learning_is_quick():
    events = list(search())
    tried = [e for e in events if isinstance(e, RateTried)]
    (found,) = [e.rate for e in events if isinstance(e, RateFound)]
    assert events[-1] == RateFound(found)
    assert 1e-5 < found < 0.3
    rates = [e.rate for e in tried]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(1e-6)
    assert min(e.loss for e in tried) < 0.9 * tried[0].loss


def test_that_nothing_is_suggested_where_no_loss_falls():
    assert suggest([(1e-6, 1.0), (1e-3, 0.99), (1.0, 3.0)]) is None
    assert suggest([(1e-6, 1.0), (1e-3, 0.9), (1.0, 3.0)]) == 1e-4
    assert suggest([]) is None


def test_that_the_search_can_be_closed_at_every_step(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events = search()
    for event in events:
        if isinstance(event, RateTried):
            break
    events.close()
    assert list(tmp_path.iterdir()) == []


def test_that_the_command_prints_the_curve_and_trains_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("geocnn_gui.training.rate_finder._STEPS", 12)
    wish = ["train", "--samples", "example:traces", "--model", "unet-1d", "--find-rate", "--json"]
    assert run_cli([*wish, "--set", "training.batch=4", "--device", "cpu"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["rates"]) == len(said["losses"]) > 3
    assert list(tmp_path.iterdir()) == []


def test_that_a_search_that_finds_nothing_says_so(monkeypatch):
    monkeypatch.setattr("geocnn_gui.training.rate_finder.suggest", lambda _: None)
    monkeypatch.setattr("geocnn_gui.training.rate_finder._STEPS", 2)
    last = list(search())[-1]
    assert isinstance(last, Note)
    assert last.warning
    assert "no learning rate" in last.text

"""Memory: what is free, what a network takes, and what happens when it does not suffice."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from geocnn_gui.data.source import Window
from geocnn_gui.events import Note
from geocnn_gui.inference import memory
from geocnn_gui.inference.cost import Costs
from geocnn_gui.inference.device import choose_device
from geocnn_gui.inference.memory import NotEnoughMemory, free_memory, in_words, is_out_of_memory
from geocnn_gui.inference.plan import make_plan
from geocnn_gui.inference.predict import predict
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.models.spec import CnnSpec, ResUNetSpec, UNetSpec

UNET = UNetSpec(depth=2, width=8)
ERRORS = {
    "torch": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
    "cpu": lambda: RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    ),
    "python": MemoryError,
}


@pytest.fixture(autouse=True)
def one_way(monkeypatch):
    monkeypatch.setattr(
        "geocnn_gui.inference.engine.probe_fast_cpu", lambda *_, device, **__: device
    )


@pytest.fixture
def task(make_net, make_card, tmp_path, caplog):
    """Predict with a network that may fail; return the probabilities and the notes."""

    def task(source, *, spec=None, broken=lambda net: None, name="a", model=UNET):
        card, net = make_card(model), make_net(model)
        net.core = min(net.core, 64)
        broken(net)
        store = PredictionStore.create(
            tmp_path / name, source, card.classes, model="m", probabilities=True
        )
        notes = [
            event.text
            for event in predict(net, card, source, store, device=choose_device("cpu"), spec=spec)
            if isinstance(event, Note) and event.warning
        ]
        said = [record.message for record in caplog.records]
        caplog.clear()
        assert notes == said
        store = PredictionStore.open(tmp_path / name)
        assert store.complete
        whole = Window.whole(store.shape)
        return store.read_probabilities(whole), store.read_classes(whole), notes

    return task


def _failing(net, error, *, call=None, pixels=None):
    """Let `net` (and copies of it) fail at a call, or above so many pixels in one pass."""
    real, calls = type(net).logits_in, []

    class Failing(type(net)):
        def logits_in(self, pictures, rows, columns):
            if pictures.device.type != "meta":
                calls.append(pictures.shape)
                many = pictures.shape[0] * pictures.shape[2] * pictures.shape[3]
                if len(calls) == call or (pixels is not None and many > pixels):
                    raise error()
            return real(self, pictures, rows, columns)

    net.__class__ = Failing
    return calls


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("tiling", ["exact", "blended"])
def test_that_memory_may_run_out_at_every_step(task, make_source, tiling, error):
    source, spec = make_source((150, 90)), PredictionSpec(tiling=tiling)
    calls = []
    shares, classes, _ = task(
        source, spec=spec, name="whole",
        broken=lambda net: calls.append(_failing(net, error)),
    )  # fmt: skip
    for call in range(1, len(calls[0]) + 1):
        found, ids, notes = task(
            source, spec=spec, name=f"{call}", broken=lambda net, call=call: _failing(net, error, call=call)
        )  # fmt: skip
        assert len(notes) == 1
        np.testing.assert_allclose(found, shares, atol=2 / 65535)
        np.testing.assert_array_equal(ids, classes)


@pytest.mark.parametrize("tiling", ["exact", "blended"])
def test_that_tiles_shrink_until_they_fit(task, make_source, tiling):
    source, spec = make_source((150, 90)), PredictionSpec(tiling=tiling)
    shares, classes, _ = task(source, spec=spec, name="whole")
    found, ids, notes = task(
        source, spec=spec, broken=lambda net: _failing(net, MemoryError, pixels=54**2)
    )
    assert len(notes) >= 2
    assert all(note.startswith("Out of memory: going on with ") for note in notes)
    np.testing.assert_allclose(found, shares, atol=2 / 65535)
    np.testing.assert_array_equal(ids, classes)


def test_that_fewer_tiles_at_once_come_before_smaller_ones(task, make_source):
    source = make_source((40, 24, 20))
    _, classes, _ = task(source, name="whole")
    _, ids, notes = task(source, broken=lambda net: _failing(net, MemoryError, pixels=24 * 20 * 5))
    assert all("at once instead of" in note for note in notes)
    np.testing.assert_array_equal(ids, classes)


def test_that_memory_may_run_out_while_reading(task, make_source, monkeypatch):
    source = make_source((150, 90))
    _, classes, _ = task(source, name="whole")
    read = source.read_picture

    def small_only(section, rows, columns):
        if (rows.stop - rows.start) * (columns.stop - columns.start) > 80**2:
            raise MemoryError
        return read(section, rows, columns)

    monkeypatch.setattr(source, "read_picture", small_only)
    _, ids, notes = task(source)
    assert notes
    np.testing.assert_array_equal(ids, classes)


def test_that_it_ends_in_a_sentence_where_nothing_fits_and_what_is_done_is_kept(
    make_net, make_card, make_source, tmp_path, caplog
):
    source, card, net = make_source((150, 90)), make_card(UNET), make_net(UNET)
    net.core = 64
    calls = _failing(net, MemoryError)
    store = PredictionStore.create(tmp_path / "a", source, card.classes, model="m")
    real = type(net).logits_in

    def logits_in(self, pictures, rows, columns):
        if len(calls) >= 3 and pictures.device.type != "meta":
            raise MemoryError
        return real(self, pictures, rows, columns)

    type(net).logits_in = logits_in
    with pytest.raises(NotEnoughMemory, match=r"does not suffice .*; close other programs"):
        list(predict(net, card, source, store, device=choose_device("cpu")))
    caplog.clear()
    opened = PredictionStore.open(tmp_path / "a")
    assert not opened.complete
    assert 0 < (opened.read_classes(Window.whole(opened.shape)) > 0).mean() < 1


def test_that_bfloat16_is_a_step_only_where_it_was_seen_to_agree(make_net):
    from dataclasses import replace

    from geocnn_gui.inference.engine import Engine
    from geocnn_gui.inference.plan import Plan

    device = choose_device("cpu")
    for precision, agreement, allowed in (
        ("auto", 0.9999, True), ("float32", 0.9999, False), ("auto", 0.9, False), ("auto", None, False),
    ):  # fmt: skip
        engine = Engine(
            make_net(UNET), replace(device, agreement=agreement),
            PredictionSpec(precision=precision), Plan(core=64, overlap=20),
        )  # fmt: skip
        assert engine._may_use_bf16() is allowed


def test_that_other_errors_are_not_taken_for_a_lack_of_memory():
    assert not is_out_of_memory(RuntimeError("sizes do not match"))
    assert not is_out_of_memory(ValueError("out of memory"))
    assert all(is_out_of_memory(error()) for error in ERRORS.values())


def test_that_the_limits_of_control_groups_count(tmp_path):
    group = tmp_path / "v2" / "a"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1000000\n")
    (group / "memory.current").write_text("700000\n")
    (group / "memory.stat").write_text("anon 5\ninactive_file 200000\n")
    (tmp_path / "v2" / "memory.max").write_text("max\n")
    me = tmp_path / "cgroup"
    me.write_text("0::/a\n")
    assert memory._free_of_groups(tmp_path / "v2", me) == [500000]
    old = tmp_path / "v1" / "memory"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("9000")
    (old / "memory.usage_in_bytes").write_text("2000")
    me.write_text("4:cpu,cpuacct:/x\n3:memory:/docker/abc\n")
    assert memory._free_of_groups(tmp_path / "v1", me) == [7000]


def test_that_what_is_free_is_less_than_a_machine_has():
    assert 0 < free_memory() < 2**46
    assert (in_words(1.24e9), in_words(3.4e8), in_words(10)) == ("1.2 GB", "340 MB", "1 MB")


@pytest.mark.parametrize("spec", [UNetSpec(), CnnSpec()], ids=lambda spec: spec.kind)
def test_that_the_plan_keeps_to_the_budget(make_net, spec):
    net = make_net(spec)
    costs, shape = Costs(net, 1), (3000, 3000)
    sides = []
    for megabytes in (20, 60, 200, 2000):
        plan = make_plan(
            net, costs, shape, megabytes * 1e6, spec=PredictionSpec(tiling="exact"), kind="cpu"
        )
        large = max(plan.tiles(shape, net.stride), key=lambda tile: tile.seen)
        room = costs.of_tile(large).room
        assert room * plan.batch <= megabytes * 1e6 or plan.core == net.stride
        sides.append(plan.core)
    assert sides == sorted(sides)
    assert sides[0] < sides[-1] <= net.core


def test_that_tiles_are_blended_only_where_exact_ones_take_twice_the_work(make_net):
    net = make_net(ResUNetSpec())
    costs = Costs(net, 1)
    large = make_plan(net, costs, (4096, 4096), 4e9, spec=PredictionSpec(), kind="cpu")
    small = make_plan(net, costs, (460, 650), 4e9, spec=PredictionSpec(), kind="cpu")
    insisted = make_plan(
        net, costs, (4096, 4096), 4e9, spec=PredictionSpec(tiling="exact"), kind="cpu"
    )
    assert (large.blended, small.blended, insisted.blended) == (True, False, False)
    unet = make_net(UNetSpec())
    assert not make_plan(
        unet, Costs(unet, 1), (4096, 4096), 4e9, spec=PredictionSpec(), kind="cpu"
    ).blended


PEAK = """
import sys
import numpy as np, torch
from geocnn_gui.data.source import open_source
from geocnn_gui import workflow
from geocnn_gui.inference.spec import PredictionSpec
from pathlib import Path
torch.set_num_threads(1)
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(l for l in lines if l.startswith("VmHWM")).split()[1]) * 1024
model, small, data, out = map(Path, sys.argv[1:5])
def go(path, folder):
    with open_source(path) as source:
        spec = PredictionSpec(memory=int(sys.argv[5]), precision="float32")
        for _ in workflow.predict(model, source, folder=folder, device="cpu", spec=spec,
                                  probabilities=False):
            pass
go(small, out / "small")
before = peak()
go(data, out / "large")
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_that_the_budget_is_kept(make_net, make_card, tmp_path):
    from geocnn_gui.models.weights import save_model

    spec = UNetSpec(depth=4, width=16)
    save_model(tmp_path / "m.safetensors", make_net(spec), make_card(spec))
    random = np.random.default_rng(0)
    np.save(tmp_path / "small.npy", random.normal(size=(64, 64)).astype(np.float32))
    np.save(tmp_path / "large.npy", random.normal(size=(1400, 1400)).astype(np.float32))

    def rise(megabytes):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, tmp_path / "m.safetensors", tmp_path / "small.npy",
             tmp_path / "large.npy", tmp_path / str(megabytes), str(megabytes)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return int(done.stdout)

    assert rise(120) < 1.2 * 120e6 + 30e6  # the file and the store are mapped and count too

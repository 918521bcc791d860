from __future__ import annotations

import pytest
import torch

from geocnn_gui.errors import BadRequest
from geocnn_gui.inference import device as devices
from geocnn_gui.inference.device import choose_device, probe_fast_cpu
from geocnn_gui.models.spec import UNetSpec

SHAPE = (1, 1, 64, 64)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "_why_no_cuda", lambda: "this PyTorch is built for the CPU only")


@pytest.fixture
def net(make_net):
    return make_net(UNetSpec(depth=2, width=8))


def test_that_auto_takes_the_cpu_where_there_is_no_gpu(no_gpu):
    device = choose_device("auto")
    assert (device.name, device.torch_name, device.kind) == ("cpu", "cpu", "cpu")
    assert device.description.startswith("CPU, ")


def test_that_asking_for_a_missing_gpu_says_why(no_gpu):
    with pytest.raises(BadRequest, match=r"No CUDA device .*built for the CPU only; use"):
        choose_device("cuda")


def test_that_a_gpu_that_fails_its_self_test_is_not_taken(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def broken(*_, **__):
        raise RuntimeError("no kernel image\nmore lines")

    monkeypatch.setattr(torch, "ones", broken)
    assert choose_device("auto").name == "cpu"
    with pytest.raises(BadRequest, match=r"self-test failed \(no kernel image\);"):
        choose_device("cuda")


def test_that_a_gpu_that_computes_wrongly_is_not_taken(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    wrong = torch.full((1, 1, 8, 8), 3.0)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: wrong)
    with pytest.raises(BadRequest, match="wrong result"):
        choose_device("cuda")


def _timed(monkeypatch, times):
    """Let plain, channels-last and bf16 take `times` seconds."""
    left = iter(times)
    real = devices._time
    monkeypatch.setattr(devices, "_time", lambda *args: (next(left), real(*args)[1]))


@pytest.mark.parametrize(
    ("times", "channels_last", "bf16"),
    [((3, 2, 1), True, True), ((2, 3, 1), False, True), ((3, 2, 1.9), True, False),
     ((2, 3, 4), False, False)],
)  # fmt: skip
def test_that_the_fastest_way_is_taken(no_gpu, net, monkeypatch, times, channels_last, bf16):
    monkeypatch.setattr(devices, "_AGREEMENT", 0.0)
    _timed(monkeypatch, times)
    found = probe_fast_cpu(net, SHAPE, device=choose_device())
    assert (found.channels_last, found.bf16) == (channels_last, bf16)


def test_that_bf16_is_refused_where_it_changes_the_classes(no_gpu, net, monkeypatch):
    _timed(monkeypatch, (3, 3, 1))
    monkeypatch.setattr(devices, "_AGREEMENT", 1.1)
    assert not probe_fast_cpu(net, SHAPE, device=choose_device()).bf16


def test_that_the_probe_leaves_network_and_random_numbers_alone(no_gpu, net):
    net.train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    probe_fast_cpu(net, SHAPE, device=choose_device())
    assert torch.equal(torch.rand(4), expected)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert net.training
    assert all(p.grad is None for p in net.parameters())


def test_that_no_more_threads_run_than_there_are_cores(no_gpu, monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(devices, "usable_cores", lambda: 1)
    torch.set_num_threads(2)
    try:
        choose_device("cpu")
        assert torch.get_num_threads() == 1
        monkeypatch.setattr(devices, "usable_cores", lambda: 64)
        choose_device("cpu")
        assert torch.get_num_threads() == 1  # fewer are someone's wish
    finally:
        torch.set_num_threads(before)


def test_that_hyperthreads_and_quotas_are_no_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(devices, "_CPUS", tmp_path)
    monkeypatch.setattr(devices, "_GROUPS", tmp_path)
    assert devices.usable_cores() == 8
    for thread in range(8):
        folder = tmp_path / f"cpu{thread}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{thread % 4},{thread % 4 + 4}\n")
    assert devices.usable_cores() == 4
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert devices.usable_cores() == 2
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert devices.usable_cores() == 4


@pytest.mark.parametrize(("precision", "bf16"), [("float32", False), ("bfloat16", True)])
def test_that_the_user_can_insist_on_a_precision(no_gpu, net, monkeypatch, precision, bf16):
    _timed(monkeypatch, (3, 3, 1 if not bf16 else 9))
    monkeypatch.setattr(devices, "_AGREEMENT", 1.1)
    found = probe_fast_cpu(net, SHAPE, device=choose_device(), precision=precision)
    assert found.bf16 is bf16
    assert (found.agreement is not None) is bf16

"""Choose where networks run, and how: found by itself, named, tested before it is trusted."""

from __future__ import annotations

import copy
import gc
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from geocnn_gui.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Wish = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
#: bf16 has to be this much faster, so that noise in the timing does not choose it.
_GAIN = 1.15
#: Seconds that a second timing may take: it is there to be sure, not to be waited for.
_SOON = 0.03
#: ... and has to name the same class for this share of the pixels of the probe.
_AGREEMENT = 0.998
_CPUS, _GROUPS = Path("/sys/devices/system/cpu"), Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Device:
    """Where and how a network runs.

    `name` is "cpu" or "cuda", `torch_name` what torch calls it, `description` what a user reads
    ("CPU, 2 cores"). `channels_last` and `bf16` say which of the fast paths pay there.
    `agreement` is the share of a probe's pixels to which bf16 gave the class of float32, None
    where that was not tried.
    """

    name: str
    torch_name: str
    description: str
    channels_last: bool = True
    bf16: bool = False
    agreement: float | None = None

    @property
    def agrees(self) -> bool:
        """Say whether bf16 was seen to change next to no pixel."""
        return self.agreement is not None and self.agreement >= _AGREEMENT

    @property
    def kind(self) -> str:
        """Return torch's device type, as `torch.autocast` wants it."""
        return self.torch_name.partition(":")[0]

    @property
    def memory_format(self) -> torch.memory_format:
        """Return the layout of pictures and kernels that suits it."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def place(self, net: nn.Module) -> None:
        """Move `net` here, kernels in the layout that suits."""
        if getattr(net, "dims", 2) > 2:  # kernels of volumes have no such layout
            net.to(self.torch_name)
            return
        # torch's own stubs leave `memory_format` out.
        net.to(self.torch_name, memory_format=self.memory_format)  # pyright: ignore[reportCallIssue]


def choose_device(wish: Wish = "auto") -> Device:
    """Return the CUDA device where there is one that works, else the CPU.

    Raises
    ------
    BadRequest
        When CUDA is asked for and there is none, or it fails its self-test.
    """
    _spare_collector()
    if wish == "cpu":
        return _cpu()
    missing = _why_no_cuda()
    if missing is None:
        return Device("cuda", "cuda:0", torch.cuda.get_device_name(0))
    if wish == "cuda":
        raise BadRequest(f"No CUDA device can be used: {missing}", "use the device cpu or auto")
    return _cpu()


@cache
def _spare_collector() -> None:
    """Set all that has been loaded so far aside from the garbage collector, once.

    Its full rounds hold up every thread, the window's too, and to go through what torch has
    loaded takes a tenth of a second.
    """
    gc.freeze()


def _cpu() -> Device:
    cores = usable_cores()
    if torch.get_num_threads() > cores:
        # More threads than cores wait for each other; fewer are someone's wish.
        torch.set_num_threads(cores)
    return Device("cpu", "cpu", f"CPU, {cores} core{'' if cores == 1 else 's'}")


def usable_cores() -> int:
    """Return the physical cores that this process may use: by affinity, by quota."""
    threads = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    count = len(threads) if threads else (os.cpu_count() or 1)
    siblings = {_siblings(thread) for thread in threads or ()}
    if siblings and None not in siblings:
        count = len(siblings)
    return max(1, min(count, *(math.ceil(quota) for quota in _quotas()), count))


def _siblings(thread: int) -> str | None:
    """Name the threads of the core that runs `thread`, None where the system does not say."""
    try:
        return (_CPUS / f"cpu{thread}/topology/thread_siblings_list").read_text(encoding="ascii")
    except OSError:
        return None


def _quotas() -> Iterator[float]:
    """Yield the cores that the control groups of this process grant, version 2 and 1."""
    with suppress(OSError, ValueError):
        quota, period = (_GROUPS / "cpu.max").read_text(encoding="ascii").split()
        yield int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (
            int((_GROUPS / f"cpu/cpu.cfs_{name}_us").read_text(encoding="ascii"))
            for name in ("quota", "period")
        )
        if quota > 0:
            yield quota / period


def _why_no_cuda() -> str | None:
    """Say what keeps CUDA from being used; None where a small computation comes out right."""
    if not torch.backends.cuda.is_built():
        return "this PyTorch is built for the CPU only"
    if not torch.cuda.is_available():
        return "PyTorch finds no working GPU and driver"
    try:
        ones = torch.ones(1, 1, 8, 8, device="cuda:0")
        right = float(nn.functional.conv2d(ones, torch.ones_like(ones)).item()) == 64.0
    except RuntimeError as error:  # a GPU too old for this build, a broken driver, no memory
        return f"its self-test failed ({str(error).splitlines()[0]})"
    return None if right else "its self-test gave a wrong result"


def has_bf16(device: Device) -> bool:
    """Say whether bfloat16 is computed there, not only imitated at a high price."""
    if device.kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    mkldnn = torch.backends.mkldnn.is_available()
    if not (mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    # That is said of every x86 with AVX-512, though most of them only imitate it.
    can = torch.cpu.get_capabilities()
    native = can.get("avx512_bf16") or can.get("amx_bf16")
    return bool(native) or can.get("architecture") != "x86_64"


def training_device(device: Device) -> Device:
    """Return `device` with the fast paths of a training: by what the processor has.

    A timing would now and then choose another way, and the same seed another network.
    """
    return replace(device, channels_last=True, bf16=has_bf16(device))


def probe_fast_cpu(
    net: nn.Module,
    shape: tuple[int, ...],
    *,
    device: Device,
    values: Tensor | None = None,
    precision: Precision = "auto",
) -> Device:
    """Return `device` with the fast paths that a short timing of `net` itself recommends.

    `shape` is (n, bands, h, w) of the probe, `values` float32 of that shape where real ones
    are at hand. bf16 is taken only where it is clearly faster and changes next to no pixel;
    `precision` may forbid it, or insist on it. Neither `net` nor the state of the random numbers
    is changed.
    """
    with torch.random.fork_rng(devices=[]):
        probe = copy.deepcopy(net).eval()
        pictures = torch.randn(shape) if values is None else values
        plain = replace(device, channels_last=False, bf16=False)
        slow, truth = _time(lambda: _forward(probe, pictures, plain), device)
        layout = replace(plain, channels_last=True)
        fast, _ = _time(lambda: _forward(probe, pictures, layout), device)
        best = layout if fast <= slow else plain
        if precision == "float32":
            return best
        half = replace(best, bf16=True)
        with_bf16, logits = _time(lambda: _forward(probe, pictures, half), device)
    finite = bool(logits.isfinite().all())
    same = float((logits.argmax(1) == truth.argmax(1)).float().mean()) if finite else 0.0
    best, half = (replace(way, agreement=same) for way in (best, half))
    if precision == "bfloat16":
        return half
    if with_bf16 * _GAIN > min(fast, slow) or not finite:
        return best
    return half if half.agrees else best


def _place(probe: nn.Module, pictures: Tensor, device: Device) -> Tensor:
    device.place(probe)
    return pictures.to(device.torch_name, memory_format=device.memory_format)


def _forward(probe: nn.Module, pictures: Tensor, device: Device) -> Tensor:
    pictures = _place(probe, pictures, device)
    with torch.inference_mode(), torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16):
        return probe(pictures).float()


def _time(run: Callable[[], Tensor], device: Device) -> tuple[float, Tensor]:
    """Return a timing in seconds, after a warm-up, the better of two where that is soon done."""
    result, times = run(), []
    while not times or (len(times) < 2 and times[0] < _SOON):
        start = time.perf_counter()
        result = run()
        if device.kind == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times), result

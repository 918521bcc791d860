"""Steps a second of the training loop, beside a bare torch loop of the same network.

Both take turns in the same process, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from _rows import head, row

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS, TURNS = 4, 4


def main() -> None:
    """Print the rows."""
    from geocnn_gui.training.room import Room

    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=("unet", "cnn"), default="unet")
    task = prepare(parser.parse_args().model)
    plain = replace(
        task,
        room=Room(replace(task.room.device, bf16=False, channels_last=False), task.training.batch),
    )
    runs = {
        "the training loop": ours(task),
        "a bare torch loop, same layout and precision": bare(task),
        "a bare torch loop, float32 as torch comes": bare(plain),
    }
    for run in runs.values():  # warm up
        step(run, 3)
    pace = dict.fromkeys(runs, 0.0)
    for _ in range(TURNS):
        for name, run in runs.items():
            pace[name] += step(run, STEPS) / TURNS
    head()
    net = f"{task.model_spec.kind}, batch {task.training.batch}"
    fast = f"bf16 {task.room.device.bf16}, channels-last {task.room.device.channels_last}"
    mine = STEPS / pace["the training loop"]
    for name, seconds in pace.items():
        other = STEPS / seconds
        ratio = "" if other == mine else f"; ours is {mine / other:.2f} of it"
        row(f"{name} ({net}; {fast})" if not ratio else name, f"{other:.2f} steps/s{ratio}")


def prepare(kind: str):
    """Return the task of a training on the seismic example."""
    from geocnn_gui.data.source import open_source
    from geocnn_gui.data.statistics import estimate_statistics
    from geocnn_gui.data.synthetic import starter_labels
    from geocnn_gui.inference.device import choose_device, training_device
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.models.spec import SPECS
    from geocnn_gui.training.loop import Task
    from geocnn_gui.training.room import Room
    from geocnn_gui.training.sampling import LabelledPicture
    from geocnn_gui.training.spec import TrainingSpec

    source = open_source("example:seismic")
    labels = LabelSnapshot.from_array(starter_labels(source))
    statistics = estimate_statistics(source)
    lookup = np.arange(256, dtype=np.uint8)
    picture = LabelledPicture(source, source.first_section(), labels, statistics, lookup)
    picture.kept = True
    for _ in picture.find_cells():
        pass
    spec, training = SPECS[kind](), TrainingSpec()
    device = training_device(choose_device("cpu"))
    return Task(
        pictures=[picture], model_spec=spec, training=training, domain=source.domain, bands=1,
        classes=4, room=Room(device, training.batch), keep=lambda *_: None,
    )  # fmt: skip


def ours(task) -> Iterator[object]:
    """Yield after every step of the program's own loop."""
    from geocnn_gui.events import Progress
    from geocnn_gui.training.loop import Fit, Leg, fit

    for event in fit(task, Leg("refit", 1000), result=Fit()):
        if isinstance(event, Progress):
            yield event


def bare(task) -> Iterator[object]:
    """Yield after every step on one fixed batch: nothing is drawn, changed or averaged."""
    import torch
    from torch import nn

    from geocnn_gui.models.networks import build

    net = build(task.model_spec, task.bands, task.classes)
    task.room.device.place(net)
    net.train()
    side, batch = net.patch, task.training.batch
    values = torch.randn(batch, task.bands, side, side)
    values = values.to(memory_format=task.room.device.memory_format)
    optimizer = torch.optim.AdamW(net.parameters())
    labels = net.training_labels(torch.randint(1, task.classes + 1, (batch, side, side)))
    while True:
        with torch.autocast("cpu", torch.bfloat16, enabled=task.room.device.bf16):
            logits = net.training_logits(values)
        loss = nn.functional.cross_entropy(logits.float(), labels - 1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        yield loss


def step(run: Iterator[object], count: int) -> float:
    """Return the seconds that so many steps take."""
    start = time.perf_counter()
    for _ in range(count):
        next(run)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

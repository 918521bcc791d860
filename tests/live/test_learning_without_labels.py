import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from live_sources import open_raster, open_values, two_textures
from safetensors.torch import load_file, save

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import BadRequest, CannotWrite, ModelMismatch
from geocnn_gui.events import Note, Progress, Saved
from geocnn_gui.inference.device import choose_device
from geocnn_gui.live import learn as room
from geocnn_gui.live.learn import Wish, learn_backbone
from geocnn_gui.models import survey
from geocnn_gui.models.architectures.unet_spec import UNetSpec
from geocnn_gui.models.survey import load_backbone, save_backbone
from geocnn_gui.models.survey_card import KEY, BackboneCard, is_backbone, read_backbone_card


@pytest.fixture
def line(tmp_path):
    values, _ = two_textures((160, 140))
    with open_values(values) as source:
        yield source


def run(wish, out):
    return list(learn_backbone(wish, out=out, device=choose_device("cpu")))


def quick(source, **more):
    return Wish((source,), **{"steps": 2, "batch": 2, **more})


def test_that_what_is_learned_is_kept_with_its_card(line, tmp_path):
    out = tmp_path / "survey.safetensors"
    events = run(quick(line, licence="CC BY-SA 3.0"), out)
    assert events[-1] == Saved(out, "backbone")
    assert [e.done for e in events if isinstance(e, Progress)] == [1, 2]
    assert is_backbone(out)
    card = read_backbone_card(out)
    assert (card.steps, card.sources, card.licence) == (2, (line.name,), "CC BY-SA 3.0")
    assert card.loss is not None


def test_that_hidden_parts_are_filled_in_better_with_time(line, tmp_path):
    out = tmp_path / "survey.safetensors"
    run(Wish((line,), steps=1, batch=2), out)
    first = read_backbone_card(out).loss
    run(Wish((line,), steps=20, batch=2), out)
    assert read_backbone_card(out).loss < first - 0.05


def test_that_the_same_seed_learns_the_same(line, tmp_path):
    states = []
    for name in ("a", "b"):
        run(quick(line), tmp_path / f"{name}.safetensors")
        states.append(load_file(tmp_path / f"{name}.safetensors"))
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_that_closing_keeps_what_it_has_learned_so_far(line, tmp_path):
    out = tmp_path / "survey.safetensors"
    task = learn_backbone(quick(line, steps=50), out=out, device=choose_device("cpu"))
    for event in task:
        if isinstance(event, Progress) and event.done == 3:
            break
    task.close()
    assert read_backbone_card(out).steps == 3


def test_that_learning_goes_on_in_its_file_and_begins_with_another(line, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    run(quick(line), first)
    run(quick(line, start=first), second)
    run(quick(line, start=first), first)
    again, other = read_backbone_card(first), read_backbone_card(second)
    assert (again.steps, again.goal, again.began) == (4, 4, "")
    assert (other.steps, other.goal, other.began) == (2, 2, "first")


def test_that_a_backbone_of_other_bands_is_adapted(line, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    run(quick(line), first)
    backbone = load_backbone(first)
    save_backbone(first, backbone.__class__(
        backbone.net, backbone.card.model_copy(update={"domain": "imagery"})))  # fmt: skip
    with open_source("example:scene") as scene:
        run(quick(scene, start=first), second)
        assert len(read_backbone_card(second).bands) == len(scene.bands)


def test_that_a_backbone_of_another_domain_is_refused(line, tmp_path):
    first = tmp_path / "first.safetensors"
    run(quick(line), first)
    with (
        open_source("example:scene") as scene,
        pytest.raises(ModelMismatch, match="has learned seismic, not imagery"),
    ):
        run(quick(scene, start=first), tmp_path / "second.safetensors")


@pytest.mark.parametrize("name", ["example:traces", "example:patches"])
def test_that_sample_sets_are_refused(name, tmp_path):
    with open_source(name) as source, pytest.raises(BadRequest, match="set of samples"):
        run(quick(source), tmp_path / "survey.safetensors")


def test_that_nothing_and_unlike_sources_are_refused(line, tmp_path):
    with pytest.raises(BadRequest, match="nothing to learn"):
        run(Wish(()), tmp_path / "survey.safetensors")
    with open_source("example:scene") as scene, pytest.raises(BadRequest, match="not alike"):
        run(Wish((line, scene)), tmp_path / "survey.safetensors")


@pytest.mark.parametrize("shape", [(5, 9), (40, 200), (7, 30, 12)])
def test_that_sources_smaller_than_a_patch_are_learned(shape, tmp_path):
    values, _ = two_textures(shape)
    values[1, 2] = np.nan
    with open_values(values) as source:
        run(quick(source), tmp_path / "survey.safetensors")
    state = load_file(tmp_path / "survey.safetensors")
    assert all(torch.isfinite(value).all() for value in state.values())


def test_that_short_memory_takes_patches_in_parts_and_learns_the_same_error(
    line, tmp_path, monkeypatch
):
    out, whole = tmp_path / "survey.safetensors", tmp_path / "whole.safetensors"
    run(quick(line, steps=1, batch=4), whole)
    once = room._Learning._gradients
    seen = []

    def short(self, *given):
        seen.append(self._parts)
        if self._parts < 4:
            raise MemoryError
        return once(self, *given)

    monkeypatch.setattr(room._Learning, "_gradients", short)
    events = run(quick(line, steps=1, batch=4), out)
    assert seen == [1, 2, 4]
    notes = [e.text for e in events if isinstance(e, Note)]
    assert notes[-1] == "Memory is short: learning takes 1 at once."
    assert read_backbone_card(out).loss == pytest.approx(read_backbone_card(whole).loss, rel=0.05)


def test_that_a_full_disk_is_said_and_the_older_backbone_stays(line, tmp_path, monkeypatch):
    out = tmp_path / "survey.safetensors"
    run(quick(line), out)
    before = out.read_bytes()

    def full(*_):
        raise CannotWrite("Cannot write: the disk is full", "free some space")

    monkeypatch.setattr(room, "save_backbone", full)
    with pytest.raises(CannotWrite):
        run(quick(line), out)
    assert out.read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"no file", b"cut"])
def test_that_a_damaged_backbone_is_refused(line, tmp_path, damage):
    out = tmp_path / "survey.safetensors"
    run(quick(line), out)
    out.write_bytes(out.read_bytes()[:-1000] if damage == b"cut" else damage)
    with pytest.raises(ModelMismatch):
        load_backbone(out)


def test_that_a_backbone_of_a_newer_version_is_refused(line, tmp_path):
    out = tmp_path / "survey.safetensors"
    run(quick(line), out)
    out.write_bytes(out.read_bytes().replace(b'\\"version\\":1', b'\\"version\\":7', 1))
    with pytest.raises(ModelMismatch, match="newer"):
        read_backbone_card(out)


def test_that_a_card_with_more_than_is_known_is_refused():
    with pytest.raises(ValueError, match="extra"):
        BackboneCard.model_validate({"domain": "seismic", "bands": ["a"], "evil": 1})


def test_that_data_of_many_bands_take_no_more_memory_than_those_of_few():
    values = np.random.default_rng(0).normal(size=(32, 400, 400)).astype(np.float32)
    with open_raster(values) as source:
        patches = room.Patches([source], 0)
        for _ in range(10):
            patches.draw(1)
    assert sum(values.nbytes + live.nbytes for values, live in patches._blocks) <= 2**27


def test_that_weights_that_are_no_numbers_are_refused(line, tmp_path):
    out = tmp_path / "survey.safetensors"
    run(quick(line), out)
    backbone = load_backbone(out)
    next(backbone.net.parameters()).data.view(-1)[3] = torch.nan
    save_backbone(out, backbone)
    with pytest.raises(ModelMismatch, match="damaged"):
        load_backbone(out)


def test_that_a_small_file_cannot_ask_for_a_huge_network(tmp_path, monkeypatch):
    huge = UNetSpec.model_validate({"depth": 6, "width": 128})
    card = BackboneCard(spec=huge, domain="seismic", bands=("a",))
    out = tmp_path / "huge.safetensors"
    out.write_bytes(save({"x": torch.zeros(1)}, metadata={KEY: card.model_dump_json()}))
    built = []
    monkeypatch.setattr(survey, "new_backbone", built.append)
    with pytest.raises(ModelMismatch, match="damaged"):
        load_backbone(out)
    assert not built


def test_that_going_on_sees_other_patches_than_before(line, tmp_path, monkeypatch):
    drawn, draw = [], room.Patches.draw

    def kept(patches, count):
        drawn.append(draw(patches, count)[0])
        return drawn[-1], np.ones((count, 1, *drawn[-1].shape[2:]), bool)

    monkeypatch.setattr(room.Patches, "draw", kept)
    out = tmp_path / "survey.safetensors"
    run(quick(line, steps=1), out)
    run(quick(line, steps=1, start=out), out)
    assert not np.array_equal(*drawn)


def test_that_what_is_learned_keeps_the_licence_of_what_it_began_with(line, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    run(quick(line, licence="CC BY-SA 3.0"), first)
    run(quick(line, start=first), second)
    assert read_backbone_card(second).licence == "CC BY-SA 3.0"
    for _ in range(2):
        run(quick(line, start=second, licence="Mine."), second)
    assert read_backbone_card(second).licence == "CC BY-SA 3.0 Mine."


KILLED = """
import os, signal, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from live_sources import open_values, two_textures
from geocnn_gui.inference.device import choose_device
from geocnn_gui.live import learn

learn.SAVE_EVERY, sync, seen = 1, os.fsync, []


def killed(file):
    sync(file)
    if os.path.isfile(f"/proc/self/fd/{file}"):
        seen.append(file)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)


os.fsync = killed
source = open_values(two_textures((160, 140))[0])
wish = learn.Wish((source,), steps=9, batch=2)
for _ in learn.learn_backbone(wish, out=Path(sys.argv[2]), device=choose_device("cpu")):
    pass
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kills itself while it writes")
def test_that_a_process_killed_while_it_writes_leaves_the_older_backbone_whole(tmp_path):
    out = tmp_path / "survey.safetensors"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(out)],
        check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    assert load_backbone(out).card.steps == 2
    with open_values(two_textures((160, 140))[0]) as source:
        run(quick(source, start=out), out)
    assert read_backbone_card(out).steps == 4
    assert list(tmp_path.iterdir()) == [out]  # what was half written is gone too

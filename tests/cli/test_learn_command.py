"""`geocnn learn`: data without labels become a backbone."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from geocnn_gui.cli import console
from geocnn_gui.events import Progress
from geocnn_gui.models.survey_card import read_backbone_card
from geocnn_gui.resources import backbone


@pytest.fixture
def learn(geocnn, files, tmp_path, monkeypatch):
    """Learn a short line in small steps into "b.safetensors"."""
    monkeypatch.setattr("geocnn_gui.live.learn.PATCH", 32)
    monkeypatch.setattr("geocnn_gui.live.patches.PATCH", 32)

    def call(*more, source="npra_line_cut.sgy", steps=1):
        out = tmp_path / "b.safetensors"
        return geocnn("learn", files / source, "--out", out, "--steps", steps, "--device", "cpu",
                      *more)  # fmt: skip

    return call


def test_that_what_is_learned_begins_with_the_bundled_backbone_and_keeps_its_licence(
    learn, tmp_path
):
    result = learn("--licence", "Public domain, USGS.", "--json")
    assert result.code == 0, result.err
    card = read_backbone_card(tmp_path / "b.safetensors")
    assert (card.began, card.domain, card.steps) == ("seismic", "seismic", 1)
    assert "CC BY-SA" in card.licence
    assert card.licence.endswith("Public domain, USGS.")
    assert result.json["licence"] == card.licence
    assert result.json["sources"] == ["npra_line_cut"]


def test_that_its_own_file_goes_on_where_it_was(learn, tmp_path):
    out = tmp_path / "b.safetensors"
    assert learn("--start", "none", steps=2).code == 0
    assert learn("--start", out).code == 0
    card = read_backbone_card(out)
    assert (card.steps, card.began) == (3, "")


@pytest.fixture
def stopped_at(monkeypatch):
    """Press Ctrl-C after so many steps of each task."""

    def call(steps):
        seen = []

        class Asked:
            def is_set(self):
                return len(seen) >= steps

        def interrupts():
            seen.clear()
            return nullcontext(Asked())

        shown = console._Lines.show

        def show(lines, event):
            seen.extend([event] if isinstance(event, Progress) else [])
            shown(lines, event)

        monkeypatch.setattr(console._Lines, "show", show)
        monkeypatch.setattr(console, "_interrupts", interrupts)

    return call


def test_that_ctrl_c_keeps_what_is_learned_and_says_how_to_go_on(learn, tmp_path, stopped_at):
    stopped_at(2)
    result = learn("--start", "none", steps=500)
    out = tmp_path / "b.safetensors"
    assert result.code == 130
    assert f"--start {out} goes on" in result.err
    assert read_backbone_card(out).steps == 2
    assert list(tmp_path.iterdir()) == [out]  # no lock is left


@pytest.mark.parametrize(
    ("more", "fact"),
    [
        (("--start", "nowhere.safetensors"), "nowhere.safetensors"),
        (("--start", "README.md"), "README.md"),
    ],
)
def test_that_a_bad_start_is_one_sentence(learn, tmp_path, monkeypatch, files, more, fact):
    monkeypatch.chdir(files)
    result = learn(*more)
    assert result.code == 1
    assert fact in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "b.safetensors").exists()


def test_that_data_of_other_kinds_are_not_mixed(learn, files, tmp_path):
    result = learn(files / "landsat_cut.tif", "--start", "none")
    assert result.code == 1
    assert "not alike" in result.err
    assert list(tmp_path.iterdir()) == []


def test_that_a_backbone_of_the_other_kind_is_refused(learn):
    result = learn("--start", backbone("imagery"))
    assert result.code == 1
    assert "has learned imagery, not seismic" in result.err


def test_that_the_data_are_not_written_over(geocnn, files, tmp_path):
    data = tmp_path / "line.sgy"
    data.write_bytes((files / "npra_line_cut.sgy").read_bytes())
    result = geocnn("learn", data, "--out", data)
    assert result.code == 1
    assert "is one of the inputs" in result.err


def test_that_a_full_disk_leaves_the_older_backbone(learn, tmp_path, monkeypatch):
    out = tmp_path / "b.safetensors"
    out.write_bytes(b"older")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    result = learn("--start", "none")
    assert result.code == 1
    assert "the disk is full" in result.err.splitlines()[-1]
    assert out.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("domain", "bands", "licence"), [("seismic", 1, "CC BY-SA"), ("imagery", 3, "MIT")]
)
def test_that_a_bundled_backbone_says_what_it_is(domain, bands, licence):
    path = backbone(domain)
    assert path is not None
    card = read_backbone_card(path)
    assert (card.domain, len(card.bands)) == (domain, bands)
    assert card.licence.startswith(licence)
    assert not any("f3" in name.lower() or "LE7" in name for name in card.sources)
    assert all(values.dtype == "float32" or values.ndim == 0 for values in load_file(path).values())
    beside = path.with_suffix(".md").read_text(encoding="utf-8")
    assert f"{card.steps:,} steps" in beside
    assert f"{card.loss:.3f}" in beside


def test_that_bundled_backbones_are_small():
    folder = Path(str(backbone("seismic"))).parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20e6


def test_that_ctrl_c_leaves_a_backbone_that_learned_longer(learn, tmp_path, stopped_at):
    out = tmp_path / "b.safetensors"
    assert learn("--start", "none", steps=3).code == 0
    before = out.read_bytes()
    stopped_at(2)
    result = learn("--start", "bundled", steps=500)
    assert result.code == 130
    assert "stays, which learned longer" in result.err
    assert out.read_bytes() == before
    assert learn("--start", out, steps=500).code == 130
    assert read_backbone_card(out).steps == 5


def test_that_its_own_file_goes_on_by_another_name(learn, tmp_path, monkeypatch):
    assert learn("--start", "none", steps=2).code == 0
    monkeypatch.chdir(tmp_path)
    assert learn("--start", "b.safetensors").code == 0
    card = read_backbone_card(tmp_path / "b.safetensors")
    assert (card.steps, card.goal) == (3, 3)

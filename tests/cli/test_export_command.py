"""`geocnn export`: projects and class maps to files of other programs."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
import segyio

from geocnn_gui import workflow
from geocnn_gui.data.source import Section, Window, open_source
from geocnn_gui.inference.model_state import model_mark
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.models.weights import read_card
from geocnn_gui.project.project import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def maps(trained, tmp_path_factory) -> Path:
    """A class map of the F3 section with its confidence, as SEG-Y and as GeoTIFF."""
    folder = tmp_path_factory.mktemp("maps")
    with open_source(trained.data) as source:
        for suffix in (".sgy", ".tif"):
            out, confidence = folder / f"map{suffix}", folder / f"sure{suffix}"
            list(workflow.predict_to_file(trained.model, source, out, confidence))
    return folder


@pytest.fixture
def project(trained, files, tmp_path):
    """A project with two sources, a run and a prediction of one section of the cube."""
    folder, cube = tmp_path / "work", files / "f3_cube_cut.sgy"
    with Project.create(folder, name="work") as made:
        classes = read_card(trained.model).classes
        made.set_classes(classes)
        made.add_source(trained.data)
        entry = made.add_source(cube)
        model = made.new_run_folder() / "model.safetensors"
        shutil.copy(trained.model, model)
        with open_source(cube) as source:
            book = made.labels(entry.id, source.shape)
            strokes = np.zeros(source.shape, np.uint8)
            strokes[2, 3, :10] = 2
            book.apply(LabelEdit.replace(book.store, Window.whole(source.shape), strokes))
            target = made.prediction_folder(entry.id) / "one"
            list(workflow.predict(model, source, folder=target, sections=[Section(0, 2)]))
    return folder


def stored(folder) -> PredictionStore:
    return PredictionStore.open(folder / "predictions" / "s2" / "one")


def test_that_a_project_gives_its_newest_prediction(geocnn, project, files, tmp_path):
    out = tmp_path / "map.sgy"
    result = geocnn("export", project, out, "--json")
    assert result.code == 0, result.err
    assert result.json["what"] == "classes"
    assert result.json["beside"] == [f"{out}.seen.npz"]
    assert any("1 of" in note and "inlines are predicted" in note for note in result.json["notes"])
    store = stored(project)
    with open_source(out) as found:
        present = found.trace_numbers(Window.whole(found.shape)) >= 0
        cells = store.read_classes(Window.whole(store.shape))
        np.testing.assert_array_equal(
            found.read(Window.whole(found.shape)), np.where(present[..., None], cells, 0)
        )
    assert out.stat().st_size == (files / "f3_cube_cut.sgy").stat().st_size
    store.close()


def test_that_everything_of_a_project_can_be_written(geocnn, project, trained, tmp_path):
    wanted = {
        "sure.npy": ("--what", "confidence"), "small.sgy": ("--format", "int8"),
        "map.gpkg": ("--section", "inline:2"), "map.geojson": ("--section", "time:8"),
        "map.shp": ("--section", "inline:2"), "view.png": ("--section", "inline:2"),
        "view.svg": ("--overlay", "none", "--colour-map", "viridis", "--clip", "-500", "500"),
        "labels.npy": ("--what", "labels"), "model.safetensors": ("--run", "1"),
    }  # fmt: skip
    for name, options in wanted.items():
        options = [_own_number(project, option) for option in options]
        result = geocnn("export", project / "project.json", tmp_path / name, *options)
        assert result.code == 0, (name, result.err)
        assert (tmp_path / name).stat().st_size > 0
    assert (tmp_path / "model.safetensors").read_bytes() == trained.model.read_bytes()
    assert np.load(tmp_path / "labels.npy")[2, 3, :10].tolist() == [2] * 10
    assert (tmp_path / "view.png").read_bytes().startswith(b"\x89PNG")
    names = {row[1] for row in _rows(tmp_path / "map.gpkg")}
    assert names <= {c.name for c in read_card(trained.model).classes}
    assert names


def _rows(path) -> list[tuple]:
    """Return class, name, colour and confidence of each polygon of a GeoPackage."""
    with closing(sqlite3.connect(path)) as data:
        (table,) = data.execute("select table_name from gpkg_contents where data_type='features'")
        return list(
            data.execute(f'select class_id, class_name, color, confidence from "{table[0]}"')
        )


def _own_number(project, option):
    """Write "inline:2" with the axis' own number of the third inline."""
    axis, _, index = option.partition(":")
    if axis not in ("inline", "time") or not index:
        return option
    with Project.open(project) as opened, open_source(opened.sources[1].path) as source:
        number = next(a for a in source.axes if a.name == axis).at(int(index))
    return f"{axis}:{number:g}"


def test_that_a_project_open_elsewhere_is_exported_and_left_alone(geocnn, project, tmp_path):
    before = sorted((p, p.stat().st_mtime_ns) for p in project.rglob("*"))
    with Project.open(project):
        inside = sorted(p for p in project.rglob("*"))
        assert geocnn("export", project, tmp_path / "map.npy").code == 0
        assert sorted(p for p in project.rglob("*")) == inside
    after = sorted((p, p.stat().st_mtime_ns) for p in project.rglob("*") if "lock" not in p.name)
    assert [p for p in after if p not in before and p[0].is_file()] == []


def test_that_a_source_without_prediction_is_told(geocnn, project, trained, tmp_path):
    result = geocnn("export", project, tmp_path / "map.sgy", "--source", trained.data.name)
    assert result.code == 1
    assert result.err == "geocnn: There is no prediction to write; predict first.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["map.tif"], 1, "is a cube and would have to be a picture; choose a name that ends in"),
        (["map.gpkg"], 1, "is a cube and has no single map; choose a section"),
        (["map.xyz"], 1, "no ending that names a known format"),
        (["map.sgy", "--what", "polygons"], 1, "holds no polygons; choose a name that ends in"),
        (["p.npy", "--what", "probabilities"], 1, "predict again with probabilities"),
        (["p.npy", "--what", "probability:Nothing"], 2, "there is no class Nothing"),
        (["p.npy", "--what", "probability"], 2, "is none of"),
        (["map.npy", "--source", "other"], 1, "no source other; choose one of s1"),
        (["map.npy", "--run", "7"], 1, "has no run 7 with a model; choose one of its runs (1)"),
        (["map.npy", "--format", "int8"], 1, "map.npy is no SEG-Y file"),
        (["map.npy", "--opacity", "0.5"], 2, "--opacity belong to a figure"),
        (["map.npy", "--section", "inline:3"], 2, "--section belongs to a figure or polygons"),
        (["map.png", "--section", "inline:99999"], 2, "has no inline there"),
        (["none/map.npy"], 1, "the folder does not exist"),
        (["map.npy", "--data", "x.sgy"], 1, "which has its own data; leave --data"),
    ],
)
def test_that_what_cannot_be_is_said_in_a_sentence(
    arguments, code, words, geocnn, project, tmp_path
):
    (tmp_path / "out").mkdir()
    result = geocnn("export", project, tmp_path / "out" / arguments[0], *arguments[1:])
    assert result.code == code, result.err
    assert words in " ".join(result.err.split())
    assert list((tmp_path / "out").iterdir()) == []


def test_that_no_data_of_a_project_is_written_over(geocnn, project, trained, tmp_path):
    other = tmp_path / "line.sgy"
    shutil.copy(trained.data, other)
    with Project.open(project) as opened:
        opened.add_source(other)
    before = other.read_bytes()
    result = geocnn("export", project, other, "--source", "s2")
    assert result.code == 1
    assert "line.sgy is one of the inputs; choose another name" in result.err
    assert other.read_bytes() == before


def test_that_a_class_map_becomes_polygons_with_its_names_and_confidence(
    geocnn, maps, trained, tmp_path
):
    rows = []
    for name, options in ((".tif", ()), (".sgy", ("--names", trained.model))):
        sure, out = maps / f"sure{name}", tmp_path / "map.gpkg"
        result = geocnn("export", maps / f"map{name}", out, "--confidence", sure, *options)
        assert result.code == 0, result.err
        rows += _rows(out)
    known = {c.id: c for c in read_card(trained.model).classes}
    assert rows
    for number, name, color, confidence in rows:
        assert (known[number].name, known[number].color) == (name, color)
        assert 0 < confidence <= 1


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".sgy", "itself"])
def test_that_a_class_map_is_no_confidence(geocnn, maps, trained, tmp_path, suffix):
    """By its names where it has such, else by its values."""
    wrong = maps / f"map{suffix if suffix == '.tif' else '.sgy'}"
    if suffix == ".npy":
        wrong = tmp_path / "wrong.npy"
        np.save(wrong, np.load(trained.labels).astype(np.float32))
    elif suffix == ".sgy":
        wrong = trained.data
    out = tmp_path / "map.gpkg"
    result = geocnn("export", maps / "map.sgy", out, "--confidence", wrong)
    assert result.code == 1
    assert f"{wrong.name} is no confidence: " in result.err
    assert not out.exists()


def test_that_a_class_map_is_drawn_over_its_data(geocnn, maps, trained, tmp_path):
    for name in ("map.sgy", "map.tif"):
        out = tmp_path / f"{name}.png"
        result = geocnn("export", maps / name, out, "--data", trained.data, "--opacity", "0.3")
        assert result.code == 0, result.err
    drawn = (tmp_path / "map.sgy.png").read_bytes(), (tmp_path / "map.tif.png").read_bytes()
    assert drawn[0][:8] == drawn[1][:8]


def test_that_formats_of_a_class_map_agree(geocnn, maps, tmp_path):
    for out in ("a.npy", "b.tif", "c.sgy"):
        assert geocnn("export", maps / "map.sgy", tmp_path / out).code == 0
    cells = np.load(tmp_path / "a.npy")
    with open_source(tmp_path / "b.tif") as tif, open_source(tmp_path / "c.sgy") as sgy:
        np.testing.assert_array_equal(tif.read(Window.whole(tif.shape))[0].T, cells)
        np.testing.assert_array_equal(sgy.read(Window.whole(sgy.shape)), cells)


def test_that_a_class_map_has_no_more_than_it_has(geocnn, maps, trained, tmp_path):
    map_, out = maps / "map.sgy", tmp_path / "out.sgy"
    result = geocnn("export", map_, out, "--what", "confidence")
    assert (result.code, "no confidence" in result.err) == (1, True)
    result = geocnn("export", map_, out, "--what", "confidence", "--confidence", maps / "sure.sgy")
    assert result.code == 0
    assert out.read_bytes() == (maps / "sure.sgy").read_bytes()
    result = geocnn("export", trained.data, tmp_path / "x.npy")
    assert (result.code, "which is no class" in result.err) == (1, True)
    before = map_.read_bytes()
    result = geocnn("export", map_, map_, "--data", trained.data)
    assert (result.code, "choose another name" in result.err) == (1, True)
    assert map_.read_bytes() == before


#: The command, but each hundredth of the samples takes 10 ms, so that it can be met midway.
SLOWLY = """
import sys, time
from geocnn_gui.export import layers, segy
layers._BLOCK_CELLS = 4 * 200
write = segy._write_traces
segy._write_traces = lambda *parts: (time.sleep(0.01), write(*parts))
from geocnn_gui.cli.app import main
sys.exit(main())
"""


def _met_midway(folder, out) -> subprocess.Popen:
    """Start an export and wait until it writes."""
    task = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, "export", str(folder), str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while task.poll() is None and not list(out.parent.glob(".map.*.part.sgy")):
        time.sleep(0.001)
    return task


@pytest.mark.slow
def test_that_exports_killed_midway_leave_the_old_file(line_project, tmp_path, geocnn):
    """What the killed process leaves is hidden, and the next export removes it."""
    out = tmp_path / "map.sgy"
    out.write_bytes(b"old")
    for seconds in (0.0, 0.1, 0.4, 0.8):
        task = _met_midway(line_project, out)
        time.sleep(seconds)
        task.send_signal(signal.SIGKILL)
        task.communicate(timeout=60)
        assert out.read_bytes() == b"old"
        left = list(tmp_path.glob(".*"))
        assert [path.name.split(".")[-2:] for path in left] == [["part", "sgy"]]
    assert geocnn("export", line_project, out).code == 0
    assert list(tmp_path.glob(".*")) == []
    with open_source(out) as found:
        assert (found.read(Window.whole(found.shape)) == 1).all()


def test_that_ctrl_c_writes_nothing(line_project, tmp_path):
    out = tmp_path / "map.sgy"
    task = _met_midway(line_project, out)
    task.send_signal(signal.SIGINT)
    _, said = task.communicate(timeout=60)
    assert task.returncode == 130, said
    assert "nothing is written" in said
    assert [p.name for p in tmp_path.iterdir() if p.name != "big"] == []


@pytest.fixture
def line_project(trained, tmp_path):
    """A project with a line of 400 traces of 200 samples that is all class 1."""
    folder = tmp_path / "big"
    folder.mkdir()
    line, spec = folder / "line.sgy", segyio.spec()
    spec.samples, spec.tracecount, spec.format = np.arange(200) * 4, 400, 5
    with segyio.create(line, spec) as file:
        for number in range(400):
            file.header[number] = {segyio.su.cdp: number + 1, segyio.su.ns: 200}
        file.trace = np.random.default_rng(0).normal(size=(400, 200)).astype(np.float32)
        file.bin.update(hdt=4000, hns=200)
    with Project.create(folder) as project, open_source(line) as source:
        entry = project.add_source(line)
        store = PredictionStore.create(
            project.prediction_folder(entry.id) / "one", source, read_card(trained.model).classes,
            model=model_mark(trained.model),
        )  # fmt: skip
        whole = Window.whole(source.shape)
        store.write(whole, np.ones(whole.size, np.uint8), np.ones(whole.size, np.float32))
        store.finish(complete=True)
        store.close()
    return folder


def test_that_the_prediction_of_a_deleted_run_goes_with_it(geocnn, project, tmp_path):
    from geocnn_gui.project.runs import delete_run, read_run

    with Project.open(project) as opened:
        delete_run(read_run(opened.runs[0]))
    result = geocnn("export", project, tmp_path / "map.sgy")
    assert result.code == 1
    assert not (tmp_path / "map.sgy").exists()
    assert not (project / "predictions" / "s2" / "one").exists()


def test_that_the_prediction_of_a_run_deleted_in_the_window_is_not_exported(
    geocnn, project, tmp_path
):
    from geocnn_gui.project.runs import delete_run, read_run, restore_run

    with Project.open(project) as opened:
        run = read_run(opened.runs[0])
        delete_run(run)
        result = geocnn("export", project, tmp_path / "map.sgy")
        assert result.code == 1
        assert not (tmp_path / "map.sgy").exists()
        restore_run(run)
    assert geocnn("export", project, tmp_path / "map.sgy").code == 0


def test_that_an_export_carries_the_names_that_the_classes_have_now(
    geocnn, project, files, tmp_path
):
    with open_source(files / "f3_cube_cut.sgy") as source:
        inline = source.axes[0].at(2)
    with Project.open(project) as opened:
        before = [c.name for c in opened.classes]
        opened.set_classes(
            tuple(c.model_copy(update={"name": f"Rock {c.id}"}) for c in opened.classes)
        )
    out = tmp_path / "map.geojson"
    result = geocnn("export", project, out, "--section", f"inline:{inline:g}")
    assert result.code == 0, result.err
    assert '"Rock ' in out.read_text()
    assert not any(f'"{name}"' in out.read_text() for name in before)


def test_that_a_prediction_of_data_that_were_replaced_is_not_exported(geocnn, project, tmp_path):
    card = project / "predictions" / "s2" / "one" / "card.json"
    before = card.read_text()
    assert '"data":' in before
    card.write_text(re.sub(r'"data": *"[0-9a-f]+"', '"data": "0123456789abcdef"', before))
    result = geocnn("export", project, tmp_path / "map.sgy")
    assert result.code == 1
    assert "of other data" in result.err

"""`geocnn next` and `geocnn suspects`, on files."""

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.source import open_source

TWO = ("--backbone", "none", "--domain", "seismic", "--device", "cpu")


@pytest.fixture
def line(tmp_path):
    """A line that is fine above and coarse below, twelve strokes on it, one of the wrong class."""
    random = np.random.default_rng(0)
    values = random.standard_normal((200, 160)).astype(np.float32)
    values[:, 80:] = random.standard_normal((25, 10)).repeat(8, 0).repeat(8, 1)
    labels = np.zeros(values.shape, np.uint8)
    for trace in (10, 40, 70, 100, 130, 160):
        labels[trace : trace + 16, 30:36] = 1
        labels[trace : trace + 16, 120:126] = 2
    labels[70:86, 120:126] = 1
    np.save(tmp_path / "line.npy", values)
    np.save(tmp_path / "labels.npy", labels)
    return tmp_path


def test_that_places_are_ranked_with_reasons_and_alike_every_time(geocnn, line):
    wish = ("next", line / "line.npy", "--labels", line / "labels.npy", *TWO)
    found = geocnn(*wish, "--json")
    assert found.code == 0, found.err
    places = found.json["places"]
    assert 3 <= len(places) <= 12
    assert places[0]["score"] == 1.0
    assert [p["score"] for p in places] == sorted((p["score"] for p in places), reverse=True)
    labels = np.load(line / "labels.npy")
    for place in places:
        assert place["reasons"]
        (top, bottom), (left, right) = place["rows"], place["columns"]
        assert (labels[top:bottom, left:right] > 0).mean() <= 0.02
    assert geocnn(*wish, "--json").json["places"] == places
    table = geocnn(*wish)
    assert places[0]["reasons"][0].split()[0] in table.out


def test_that_a_map_that_says_otherwise_is_a_reason(geocnn, line):
    wrong = np.full((200, 160), 2, np.uint8)
    np.save(line / "map.npy", wrong)
    wish = ("next", line / "line.npy", "--labels", line / "labels.npy", *TWO)
    reasons = [r for p in geocnn(*wish, "--prediction", line / "map.npy", "--json").json["places"]
               for r in p["reasons"]]  # fmt: skip
    assert any(reason.startswith("head and network disagree on") for reason in reasons)


def test_that_a_wrong_stroke_is_named_with_what_it_looks_like(geocnn, line):
    wish = ("suspects", line / "line.npy", "--labels", line / "labels.npy", *TWO)
    found = geocnn(*wish, "--json")
    assert found.code == 0, found.err
    first = found.json["suspects"][0]
    assert (first["label_id"], first["looks_like_id"]) == (1, 2)
    assert (first["rows"], first["columns"]) == ([70, 86], [120, 126])
    assert found.json["strokes"] == 12
    assert "Class 2" in geocnn(*wish).out


def test_that_labels_of_one_class_are_refused_in_a_sentence(geocnn, line):
    labels = np.load(line / "labels.npy")
    np.save(line / "one.npy", np.where(labels == 1, 1, 0).astype(np.uint8))
    for command in ("next", "suspects"):
        found = geocnn(command, line / "line.npy", "--labels", line / "one.npy", *TWO)
        assert found.code == 1
        assert "two classes" in found.err
        assert found.out == ""


@pytest.mark.parametrize(
    ("section", "fact"),
    [("inline:3-9", "give one section"), ("inline:900", "has no inline there"),
     ("depth:3", "has no axis depth")],
)  # fmt: skip
def test_that_a_wrong_section_is_told_of_by_its_option(geocnn, files, tmp_path, section, fact):
    cube = files / "f3_cube_cut.sgy"
    with open_source(cube) as source:
        labels = np.zeros(source.shape, np.uint8)
        first = source.axes[0].first
    labels[1, :, 35:45], labels[1, :, -10:] = 1, 2
    np.save(tmp_path / "labels.npy", labels)
    if section.endswith("3-9"):
        section = f"inline:{first:g}-{first + 2:g}"
    found = geocnn("next", cube, "--labels", tmp_path / "labels.npy", *TWO, "--section", section)
    assert found.code == 2
    assert "'--section'" in found.err or " --section:" in found.err
    assert fact in found.err

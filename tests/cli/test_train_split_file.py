"""A split made by hand in the window, given to a training on the command line."""

from __future__ import annotations

import json

import pytest
from cli_commands import TINY

CHOICE = {
    "unit": "block", "side": 20, "axis": None, "cuts": {},
    "roles": {"0:0-0": 0, "0:20-40": 0, "0:20-80": -2},
}  # fmt: skip
KEPT = {"choice": CHOICE, "entries": ["s1"]}


@pytest.mark.parametrize(
    "content",
    [
        CHOICE,
        {"version": 1, "split": KEPT},
        {"number": 1, "training": {"split": {"choice": CHOICE}}},
    ],
    ids=["alone", "project.json", "run.json"],
)
def test_that_units_moved_by_hand_are_held_out(content, trained, geocnn, tmp_path) -> None:
    (tmp_path / "split.json").write_text(json.dumps(content))
    result = geocnn("train", "--data", trained.data, trained.labels, *TINY, "--json",
                    "--split-file", tmp_path / "split.json", "--out", tmp_path / "m")  # fmt: skip
    assert result.code == 0
    said = result.json
    assert (said["holdout_by"], said["holdout_units"], said["test_units"]) == ("block", 2, 1)
    assert any("2 units" in note for note in said["notes"])


@pytest.mark.parametrize("content", ["{}", '{"split": null}', "no JSON", "[1, 2]"])
def test_that_a_file_without_such_a_split_is_refused(content, trained, geocnn, tmp_path) -> None:
    (tmp_path / "split.json").write_text(content)
    result = geocnn("train", "--data", trained.data, trained.labels, *TINY,
                    "--split-file", tmp_path / "split.json", "--out", tmp_path / "m")  # fmt: skip
    assert result.code == 1
    assert "keeps no split made by hand" in result.err
    assert not (tmp_path / "m").exists()


def test_that_a_split_file_takes_no_other_wishes(trained, geocnn, tmp_path) -> None:
    result = geocnn("train", "--data", trained.data, trained.labels, *TINY, "--folds", "3",
                    "--split-file", tmp_path / "split.json", "--out", tmp_path / "m")  # fmt: skip
    assert result.code == 2
    assert "--split-file says by itself" in result.err

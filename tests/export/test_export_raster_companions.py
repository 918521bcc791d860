"""What lies beside an exported raster, and what becomes of what lay there before."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import rasterio
from export_scenes import ArrayPrediction, scene

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import CannotWrite
from geocnn_gui.events import Note
from geocnn_gui.export.table import export_prediction

NAMES = ("map.tif", "map.tif.aux.xml", "map.qml")


def _notes(folder, name="map.tif.aux.xml") -> ElementTree.Element:
    return ElementTree.parse(folder / name).getroot()


def _statistics(band: ElementTree.Element) -> dict[str, float]:
    return {item.get("key", "")[11:]: float(item.text or "") for item in band.iter("MDI")}


def _old_set(folder: Path) -> dict[str, bytes]:
    """Export one map; return its files."""
    source = scene((20, 30))
    list(export_prediction(ArrayPrediction(source.shape), source, (), folder / "map.tif"))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_that_the_attribute_table_counts_every_class(predict, export, tmp_path):
    source = scene((600, 700))
    prediction = predict(source)
    export(prediction, source, tmp_path / "map.tif")
    band = _notes(tmp_path).find("PAMRasterBand[@band='1']")
    assert band is not None
    rows = [[f.text for f in row.iter("F")] for row in band.iter("Row")]
    counts = [str((prediction.ids == i).sum()) for i in (1, 4)]
    assert rows == [
        ["1", counts[0], "Salt", "213", "94", "0", "255"],
        ["4", counts[1], "Chaotic, gassy = odd", "86", "180", "233", "255"],
    ]
    fields = [f.findtext("Name") for f in band.iter("FieldDefn")]
    assert fields == ["Value", "Count", "Class", "Red", "Green", "Blue", "Alpha"]
    names = [category.text for category in band.iter("Category")]
    assert names == ["nodata", "Salt", None, None, "Chaotic, gassy = odd"]


def test_that_statistics_are_those_of_the_predicted_cells(predict, export, tmp_path):
    source = scene((600, 700))
    prediction = predict(source)
    for what in ("classes", "confidence"):
        export(prediction, source, tmp_path / "map.tif", what)
        (band,) = _notes(tmp_path).iter("PAMRasterBand")
        values = prediction.ids if what == "classes" else prediction.confidence
        there = values[prediction.ids > 0].astype(float)
        expected = {
            "MINIMUM": there.min(), "MAXIMUM": there.max(), "MEAN": there.mean(),
            "STDDEV": there.std(), "VALID_PERCENT": 100 * there.size / values.size,
        }  # fmt: skip
        assert _statistics(band) == pytest.approx(expected, rel=1e-6)


def test_that_model_and_source_are_named_in_the_file(files, predict, export, tmp_path):
    with open_source(files / "landsat_cut.tif") as source:
        export(predict(source), source, tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as file:
        tags = file.tags()
    assert tags["MODEL"] == "tiny net.safetensors"
    assert tags["MODEL_DIGEST"] == "0123456789abcdef"
    assert tags["SOURCE"] == "landsat_cut.tif"
    assert tags["SOFTWARE"].startswith("GeoCNN ")


def test_that_probabilities_are_a_band_for_each_class(files, predict, export, tmp_path):
    with open_source(files / "landsat_cut.tif") as source:
        prediction = predict(source)
        export(prediction, source, tmp_path / "map.tif", "probabilities")
        expected = (source.transform, source.crs)
    with rasterio.open(tmp_path / "map.tif") as file:
        values = file.read()
        assert file.descriptions == ("Salt", "Chaotic, gassy = odd", "confidence")
        assert (file.dtypes[0], file.profile["compress"]) == ("float32", "deflate")
        assert np.isnan(file.nodata)
        assert file.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "3"
        assert (file.transform[:6], file.crs) == (expected[0], rasterio.CRS.from_wkt(expected[1]))
    np.testing.assert_array_equal(values[:2], prediction.probabilities)
    np.testing.assert_array_equal(values[2], prediction.probabilities.max(axis=0))
    bands = list(_notes(tmp_path).iter("PAMRasterBand"))
    assert [b.get("band") for b in bands] == ["1", "2", "3"]
    for band, each in zip(bands, values, strict=True):
        there = each[~np.isnan(each)].astype(float)
        figures = _statistics(band)
        assert figures["MEAN"] == pytest.approx(there.mean())
        assert figures["STDDEV"] == pytest.approx(there.std())
    renderer = ElementTree.parse(tmp_path / "map.qml").getroot().find("pipe/rasterrenderer")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("band")) == ("singlebandpseudocolor", "3")


def test_that_nothing_predicted_has_no_statistics(predict, export, tmp_path):
    source = scene((5, 6))
    prediction = predict(source)
    prediction.ids[:], prediction.probabilities[:] = 0, np.nan
    for what in ("classes", "probabilities"):
        export(prediction, source, tmp_path / "map.tif", what)
        assert not list(_notes(tmp_path).iter("MDI"))


def test_that_a_line_has_the_same_companions(files, predict, export, tmp_path):
    with open_source(files / "npra_line_cut.sgy") as source:
        prediction = predict(source)
        export(prediction, source, tmp_path / "map.tif")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)
    counts = [int(row[1].text or "") for row in _notes(tmp_path).iter("Row")]
    assert counts == [(prediction.ids == i).sum() for i in (1, 4)]


def test_that_companions_of_an_older_map_go(predict, export, tmp_path):
    old = _old_set(tmp_path)
    for ending in (".ovr", ".msk"):
        (tmp_path / f"map.tif{ending}").write_bytes(b"of the older map")
    source = scene((20, 30))
    export(predict(source, seed=1), source, tmp_path / "map.tif")
    new = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(new) == sorted(NAMES)
    assert all(new[name] != old[name] for name in NAMES)


@pytest.mark.parametrize("whose", ["made by hand", "ours, changed"])
def test_that_a_style_of_the_user_is_kept_and_said(whose, predict, export, tmp_path):
    style = tmp_path / "map.qml"
    if whose == "made by hand":
        style.write_text("<qgis version='3.40'/>\n")
    else:
        _old_set(tmp_path)
        style.write_text(style.read_text().replace('opacity="1"', 'opacity="0.5"'))
    before = style.read_bytes()
    source = scene((20, 30), transform=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0), crs="EPSG:32615")
    events = export(predict(source), source, tmp_path / "map.tif")
    assert style.read_bytes() == before
    (note,) = [e.text for e in events if isinstance(e, Note)]
    assert note.startswith("map.qml is kept")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)


def test_that_the_style_has_the_complete_base_name(predict, export, tmp_path):
    source = scene((4, 5))
    export(predict(source), source, tmp_path / "a.b.tif")
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["a.b.qml", "a.b.tif", "a.b.tif.aux.xml"]


@pytest.mark.parametrize("part", [".part.tif", ".part.xml", ".part.qml", "rename 1", "rename 3"])
def test_that_a_full_disk_at_any_write_leaves_the_older_set(
    part, predict, export, tmp_path, monkeypatch
):
    old = _old_set(tmp_path)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    renamed = []

    def replace(source, target, *, rename=os.replace):
        renamed.append(target)
        if part == f"rename {len(renamed)}":
            raise full
        rename(source, target)

    def write(path, data, *, plain=Path.write_bytes):
        if path.name.endswith(part):
            raise full
        return plain(path, data)

    def dataset_write(*_, **__):
        raise full

    monkeypatch.setattr("geocnn_gui.files.os.replace", replace)
    monkeypatch.setattr(Path, "write_bytes", write)
    if part == ".part.tif":
        monkeypatch.setattr(rasterio.io.DatasetWriter, "write", dataset_write)
    source = scene((20, 30))
    with pytest.raises(CannotWrite, match=r"Cannot write .*map\.tif: the disk is full; free"):
        export(predict(source, seed=1), source, tmp_path / "map.tif")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


_DIE = """
import os, sys
from pathlib import Path
from geocnn_gui import files
folder, at = Path(sys.argv[1]), int(sys.argv[2])
plain, seen = os.replace, []
def replace(old, new):
    seen.append(new)
    if len(seen) == at:
        os._exit(9)
    plain(old, new)
files.os.replace = replace
finals = [folder / name for name in ("map.tif", "map.tif.aux.xml", "map.qml")]
with files.replacing_set(finals[0], finals[1:], stale=[folder / "map.tif.ovr"]) as temporaries:
    for temporary in temporaries:
        temporary.write_text("new")
os._exit(0)
"""


@pytest.mark.parametrize("at", range(1, 8))
def test_that_a_death_between_renames_never_mixes_two_maps(at, tmp_path):
    for name in (*NAMES, "map.tif.ovr"):
        (tmp_path / name).write_text("old")
    task = subprocess.run([sys.executable, "-c", _DIE, str(tmp_path), str(at)], check=False)
    assert task.returncode == (9 if at < 7 else 0)
    state = (tmp_path / "map.tif").read_text()
    assert state == ("old" if at <= 4 else "new")
    beside = [tmp_path / name for name in (*NAMES[1:], "map.tif.ovr")]
    assert {path.read_text() for path in beside if path.exists()} <= {state}
    if at == 7:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)

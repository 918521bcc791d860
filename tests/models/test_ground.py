import numpy as np
import pytest

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import ModelMismatch
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, TRAINED, Ground, ground_of
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.models.weights import load_model, read_grounds, save_model
from tests.models.test_weights import a_card, a_net


@pytest.fixture
def array(tmp_path):
    path = tmp_path / "line.npy"
    np.save(path, np.random.default_rng(0).normal(size=(40, 60)).astype("float32"))
    return path


def a_ground(source) -> Ground:
    labels = LabelSnapshot.from_array(np.ones(source.shape, np.uint8))
    left, right = Window((0, 0), (40, 20)), Window((0, 20), (40, 5))
    parts = [(w, np.ones(w.size, bool), v) for w, v in ((left, TRAINED), (right, HELD_OUT))]
    return Ground.mark(source, labels, parts)


def test_that_a_model_file_tells_which_cells_it_has_seen(tmp_path, array):
    model = tmp_path / "model.safetensors"
    with open_source(array) as source:
        save_model(model, a_net(CnnSpec()), a_card(CnnSpec()), (a_ground(source),))
        found = ground_of(read_grounds(model), source)
        assert found is not None
        seen = found.seen.read(Window.whole(source.shape))
    assert seen[0].tolist() == [TRAINED] * 20 + [HELD_OUT] * 5 + [0] * 35
    load_model(model)


def test_that_a_moved_file_is_known_and_another_one_is_not(tmp_path, array):
    with open_source(array) as source:
        grounds = (a_ground(source),)
    moved = array.rename(tmp_path / "elsewhere.npy")
    with open_source(moved) as source:
        assert ground_of(grounds, source) is not None
    np.save(moved, np.zeros((40, 60), np.float32))
    with open_source(moved) as source:
        assert ground_of(grounds, source) is None


def test_that_a_model_whose_ground_is_damaged_is_refused(tmp_path, array):
    model = tmp_path / "model.safetensors"
    with open_source(array) as source:
        save_model(model, a_net(CnnSpec()), a_card(CnnSpec()), (a_ground(source),))
    data = model.read_bytes()
    at = data.index(b"PK\x03\x04")
    model.write_bytes(data[:at] + b"XX" + data[at + 2 :])
    data = model.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    model.write_bytes(data[:end] + b"XXXX" + data[end + 4 :])
    with pytest.raises(ModelMismatch, match="damaged"):
        read_grounds(model)

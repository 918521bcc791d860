from __future__ import annotations

import functools
import hashlib
import http.server
import threading

import pytest
import torch

from geocnn_gui.models import pretrained
from geocnn_gui.models.pretrained import Published
from geocnn_gui.models.vision import torchvision


@pytest.fixture(scope="session")
def resnet18():
    """The state of a torchvision ResNet-18, as its weights files hold it; half precision."""
    torch.manual_seed(5)
    net = torchvision().models.resnet18(weights=None)
    return {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}


@pytest.fixture(scope="session")
def shelf(resnet18, tmp_path_factory):
    """A folder with a published file, named by its checksum as torchvision names its own."""
    folder = tmp_path_factory.mktemp("shelf")
    torch.save(resnet18, folder / "new.pth")
    digest = hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()[:8]
    return (folder / "new.pth").rename(folder / f"resnet18-{digest}.pth")


@pytest.fixture
def cache(tmp_path, monkeypatch, shelf):
    """An empty cache of torch, where the published file belongs."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setitem(pretrained.PUBLISHED, "resnet18", Published(shelf.name, 23))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def server(shelf, monkeypatch):
    """Serve the shelf on this machine; GEOCNN_WEIGHTS_URL names it."""
    handler = functools.partial(_Quiet, directory=str(shelf.parent))
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setenv("GEOCNN_WEIGHTS_URL", f"http://127.0.0.1:{server.server_port}/")
        yield server
        server.shutdown()
        thread.join()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Say nothing of a client that left in the middle."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

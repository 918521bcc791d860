"""Weights that others have trained: where they lie, how they come here, what is read from them.

Reading needs torch, finding does not: the window asks before torch is imported.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geocnn_gui.errors import CannotWrite, ModelMismatch, writing
from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.files import replacing
from geocnn_gui.models.architectures.spec import PretrainedSpec
from geocnn_gui.models.architectures.table import BACKBONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPResponse

    from torch import Tensor

    from geocnn_gui.models.spec_base import Spec

#: Seconds without an answer after which a download fails.
_TIMEOUT = 20
_PART = 2**18
#: How torch says that a file names a function or a class it would have to call.
_WANTS_CODE = ("unsupported global", "unsupported class", "trying to call reduce")
#: Where torchvision's weights are published; GEOCNN_WEIGHTS_URL names a mirror.
_URL = "https://download.pytorch.org/models"


@dataclass(frozen=True, slots=True)
class Published:
    """A file of published weights; the hexadecimal end of its stem begins its SHA-256."""

    name: str
    megabytes: int

    @property
    def path(self) -> Path:
        """Return where torch.hub keeps it."""
        return checkpoints_folder() / self.name

    @property
    def url(self) -> str:
        """Return where it can be had."""
        return f"{(os.environ.get('GEOCNN_WEIGHTS_URL') or _URL).rstrip('/')}/{self.name}"


#: Name of a network -> its weights IMAGENET1K_V1 of torchvision.
PUBLISHED = {name: Published(known.file, known.megabytes) for name, known in BACKBONES.items()}


def published(spec: PretrainedSpec) -> Published:
    """Return the ImageNet weights of the encoder of `spec`."""
    return PUBLISHED[spec.backbone.name]


def checkpoints_folder() -> Path:
    """Return the folder in which torch.hub keeps weights: $TORCH_HOME/hub/checkpoints."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def weights_path(spec: PretrainedSpec) -> Path:
    """Return the file that holds the weights of `spec`, there or not."""
    return published(spec).path if spec.weights == "imagenet" else Path(spec.weights).expanduser()


def why_no_weights(spec: Spec) -> str:
    """Say which weights are missing on this machine; "" where a training can begin."""
    if not isinstance(spec, PretrainedSpec) or not spec.pretrained:
        return ""
    path = weights_path(spec)
    if path.is_file():
        return ""
    if spec.weights == "imagenet":
        return "The ImageNet weights are not on this machine."
    return f"The weights file {path} does not exist."


def fetch_weights(spec: Spec) -> Iterator[Event]:
    """Bring the weights of `spec` to this machine if they are not here.

    Yields `Progress` in bytes. Closing the generator stops, and leaves nothing behind.

    Raises
    ------
    ModelMismatch
        When they are a file that does not exist, or cannot be downloaded.
    CannotWrite
        When the folder of weights cannot be written.
    """
    if not why_no_weights(spec):
        return
    assert isinstance(spec, PretrainedSpec)
    if spec.weights != "imagenet":
        raise ModelMismatch(
            f"{weights_path(spec)} does not exist", "check the name and the folder of the weights"
        )
    yield from download(published(spec))


def download(what: Published) -> Iterator[Event]:
    """Download published weights into torch's cache, all or nothing; see `fetch_weights`."""
    from http.client import HTTPException
    from urllib.request import urlopen

    yield Note(f"Downloading {what.name} from {what.url.rpartition('/')[0]}.")
    yield Progress(0, what.megabytes * 10**6, f"Downloading {what.name}")
    target = what.path
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not what.url.startswith(("https://", "http://")):
            raise ValueError(f"{what.url} is no web address")
        answer = urlopen(what.url, timeout=_TIMEOUT)
        with closing(answer), replacing(target) as temporary:
            yield from _receive(answer, temporary, what)
    except CannotWrite as error:
        if not isinstance(error.__cause__, _NetworkError):
            raise
        raise _not_here(what, str(error.__cause__)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _not_here(what, _in_words(error)) from error


def _in_words(error: Exception) -> str:
    """Return what kept a download from beginning: the system's words, without numbers."""
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)


class _NetworkError(OSError):
    """The other side, not the disk, has failed."""


def _receive(answer: HTTPResponse, temporary: Path, what: Published) -> Iterator[Event]:
    total = int(answer.headers.get("Content-Length") or what.megabytes * 10**6)
    done = 0
    with temporary.open("wb") as file:
        while part := _read(answer):
            file.write(part)
            done += len(part)
            yield Progress(min(done, total), total, f"Downloading {what.name}")
    if not _is_whole(temporary, what):
        raise _NetworkError("what arrived is not that file")


def _read(answer: HTTPResponse) -> bytes:
    from http.client import HTTPException

    try:
        return answer.read(_PART)
    except (OSError, HTTPException) as error:
        raise _NetworkError(str(error)) from error


def _is_whole(path: Path, what: Published) -> bool:
    """Compare the checksum of a file with the one in its published name."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest.startswith(what.name.rpartition("-")[2].partition(".")[0])


def _not_here(what: Published, reason: str = "") -> ModelMismatch:
    tried = f" and cannot be downloaded ({reason})" if reason else ""
    return ModelMismatch(
        f"The weights {what.name} are not on this machine{tried}",
        f"put that file into {what.path.parent}, or choose a weights file or none",
    )


def read_weights(spec: PretrainedSpec) -> Mapping[str, Tensor]:
    """Read the tensors of the weights of `spec`, under the names that their file gives them.

    Nothing in the file is run: `.safetensors`, or a PyTorch file of plain tensors.

    Raises
    ------
    ModelMismatch
        When the file is missing, damaged, or of another kind.
    """
    path = weights_path(spec)
    if not path.is_file():
        raise _missing(spec, path)
    if spec.weights == "imagenet" and not _is_whole(path, published(spec)):
        raise ModelMismatch(
            f"{path} is damaged: its checksum is not the one in its name",
            "delete it and download it again",
        )
    try:
        found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except OSError as error:
        raise ModelMismatch(
            f"{path} cannot be read ({error.strerror})", "choose another file"
        ) from error
    return _tensors(found, path)


def _missing(spec: PretrainedSpec, path: Path) -> ModelMismatch:
    if spec.weights == "imagenet":
        return _not_here(published(spec))
    return ModelMismatch(f"{path} does not exist", "check the name and the folder of the weights")


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelMismatch(
            f"{path} is not a whole .safetensors file", "copy or download it again"
        ) from error


def _read_torch(path: Path) -> Any:
    import pickle  # noqa: TID251  for the name of its error only

    import torch

    try:
        # Only tensors and plain containers are built; whatever would run code is refused.
        return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except pickle.UnpicklingError as error:
        if not any(words in str(error).lower() for words in _WANTS_CODE):
            raise _not_whole(path) from error
        raise ModelMismatch(
            f"{path} holds more than plain weights and could run code when read, so it is not",
            "save its state_dict alone, or as .safetensors",
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError,
            AttributeError, AssertionError) as error:  # fmt: skip
        raise _not_whole(path) from error


def _not_whole(path: Path) -> ModelMismatch:
    return ModelMismatch(
        f"{path} is not a whole PyTorch file of weights", "copy or download it again"
    )


def _tensors(found: Any, path: Path) -> dict[str, Tensor]:
    """Return the name -> tensor mapping in `found`, also where a training has wrapped it."""
    import torch

    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if isinstance(found, dict):
        tensors = {k: v for k, v in found.items() if isinstance(v, torch.Tensor)}
        if tensors and all(isinstance(k, str) for k in tensors):
            return tensors
    raise ModelMismatch(f"{path} holds no weights", "choose a file with a network's state_dict")

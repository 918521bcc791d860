"""The one way to torchvision, and to segmentation-models-pytorch, which imports it.

torchvision's wheel on the package index is built for CUDA. Beside a PyTorch for the CPU its
compiled operators do not load, and importing it fails where it describes them
(`torchvision::nms`). Networks and transforms need none of them: with an empty module in the place
of those descriptions the rest works.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType

_DESCRIPTIONS = "torchvision._meta_registrations"
_lock = threading.Lock()


def torchvision() -> ModuleType:
    """Return the package torchvision, made importable where its operators do not load."""
    with _lock:
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
            for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
                del sys.modules[name]  # what the first try has left
            sys.modules[_DESCRIPTIONS] = ModuleType(_DESCRIPTIONS)
            return importlib.import_module("torchvision")


def segmentation_models() -> ModuleType:
    """Return the package segmentation_models_pytorch."""
    torchvision()
    return importlib.import_module("segmentation_models_pytorch")

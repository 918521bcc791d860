"""One project folder, one program: a lock that the system drops when its holder dies."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from typing import TYPE_CHECKING

from geocnn_gui.errors import ProjectInUse, writing

if TYPE_CHECKING:
    from pathlib import Path

#: The byte that Windows locks; far behind the text, which others must be able to read.
_LOCKED_BYTE = 1 << 20


class FolderLock:
    """Holds "project.lock" in a folder until released; the file itself stays."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises
        ------
        ProjectInUse
            Naming the process that holds it.
        CannotWrite
            When the folder cannot be written.
        """
        path = folder / "project.lock"
        with writing(path):
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._handle)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                os.lseek(self._handle, 0, os.SEEK_SET)
                holder = os.read(self._handle, 1000)
                self.release()
                raise ProjectInUse(
                    f"The project in {folder} is already open{_who(holder)}",
                    "close it there, or open another project",
                ) from error
            # A file system without locks: better unguarded than unusable.
        self._sign()

    def _sign(self) -> None:
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
        if self._handle is None:
            return
        try:
            os.ftruncate(self._handle, 0)
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, text)
        except OSError:  # the name is a courtesy; a full disk must not keep a project closed
            return

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _who(holder: bytes) -> str:
    try:
        data = json.loads(holder)
        pid, host = int(data["pid"]), str(data["host"])
    except (ValueError, KeyError, TypeError):
        return " elsewhere"
    if host != socket.gethostname():
        return f" on {host} (process {pid})"
    return " in this program" if pid == os.getpid() else f" in another window (process {pid})"

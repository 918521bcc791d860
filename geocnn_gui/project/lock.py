"""One project folder, one program: a lock that the system drops when its holder dies."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from geocnn_gui.errors import BadRequest, ProjectInUse, writing

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

#: The byte that Windows locks; far behind the text, which others must be able to read.
_LOCKED_BYTE = 1 << 20
#: Bytes of the text that are read; a holder writes far fewer.
_LONGEST = 1000


class FolderLock:
    """Holds "project.lock" in a folder until released; the file itself stays.

    While it is held the file names the holder; a proper release empties it. `left_at` is when
    a holder that never released it began, None where the last one did.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises
        ------
        ProjectInUse
            Naming the process that holds it; nothing is written then.
        CannotWrite
            When the folder cannot be written.
        """
        path = folder / "project.lock"
        with writing(path):
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._handle: int | None = os.open(path, flags, 0o644)
        try:
            take(self._handle)
        except OSError as error:
            if is_taken(error):
                holder = who(_text(self._handle))
                os.close(self._handle)
                raise ProjectInUse(
                    f"The project in {folder} is already open{holder}",
                    "close it there, or open another project",
                ) from error
            # A file system without locks: better unguarded than unusable.
        self.left_at = began(_text(self._handle))
        sign(self._handle)

    def release(self) -> None:
        """Give the lock back, leaving word that all ended well."""
        if self._handle is not None:
            with suppress(OSError):
                os.ftruncate(self._handle, 0)
            os.close(self._handle)
        self._handle = None


@contextmanager
def alone(lock: Path, doing: str, *, folder: bool = True) -> Generator[None]:
    """Hold a file in a working folder, made where it is missing, that two tasks must not share.

    The file is gone afterwards, and so is the `folder` where nothing else is in it; a file that
    a killed process has left holds nobody up.

    Raises
    ------
    BadRequest
        Saying that it is `doing` elsewhere; nothing is written then.
    CannotWrite
        When the folder cannot be written.
    """
    with writing(lock.parent):
        handle = _open_alone(lock, doing)
    sign(handle)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file: it stays, empty of meaning
            if os.path.samestat(os.fstat(handle), lock.stat()):  # else it is another's by now
                lock.unlink()
        os.close(handle)
        with suppress(OSError):
            if folder:
                lock.parent.rmdir()


def training_alone(out: Path) -> AbstractContextManager[None]:
    """Hold a model file while it is trained, and its checkpoint; raises as `alone`."""
    lock = out.with_name(f".{out.name}.training.lock")
    return alone(lock, f"{out} is being trained", folder=False)


def _open_alone(lock: Path, doing: str) -> int:
    """Return the handle of a locked file; anew where its last holder has just removed it."""
    while True:
        lock.parent.mkdir(exist_ok=True)
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except FileNotFoundError:  # its last holder has just removed the folder
            continue
        try:
            take(handle)
        except OSError as error:
            if is_taken(error):
                holder = who(_text(handle)).replace("another window", "another task")
                os.close(handle)
                raise BadRequest(
                    f"{doing}{holder} already", "wait for its end, or give another name"
                ) from error
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), lock.stat()):
                return handle
        os.close(handle)


def holder_of(folder: Path) -> str | None:
    """Say who has the project in `folder` open (" in another window ..."); None for nobody.

    Nothing is written.
    """
    try:
        handle = os.open(folder / "project.lock", os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        take(handle)
    except OSError as error:
        return who(_text(handle)) if is_taken(error) else None
    finally:
        os.close(handle)
    return None


def take(handle: int) -> None:
    """Lock an open file; raises `OSError`, and `is_taken` tells whether another has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_taken(error: OSError) -> bool:
    """Say whether an error of `take` means that another holds the lock."""
    return error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


def sign(handle: int, **more: str) -> None:
    """Write who holds a lock, and since when, into its file."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    signed = {"pid": os.getpid(), "host": socket.gethostname(), "since": now, **more}
    with suppress(OSError):  # the name is a courtesy; a full disk must not keep a project closed
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(signed).encode())


def _text(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    return os.read(handle, _LONGEST)


def began(signed: bytes) -> datetime | None:
    """Return when the holder that signed began; None where nobody did."""
    try:
        return datetime.fromisoformat(json.loads(signed)["since"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def who(signed: bytes) -> str:
    """Say where the holder is: " in another window (process 7)", " on host (process 7)"."""
    try:
        data = json.loads(signed)
        pid, host = int(data["pid"]), str(data["host"])[:80]
    except (ValueError, KeyError, TypeError, OverflowError):
        return " elsewhere"
    if host != socket.gethostname():
        return f" on {host} (process {pid})"
    return " in this program" if pid == os.getpid() else f" in another window (process {pid})"

"""A thread of its own for work of which only the newest counts; no Qt here."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Newest:
    """Runs tasks one at a time: first those told by `do`, then the newest by `refresh`, then `ask`.

    A task must not raise. `refresh` replaces one that has not begun; `overtaken` tells the one in
    hand that something more pressing waits, so that it can end early. The thread begins with the
    first task.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._ready = threading.Condition()
        self._told: deque[Callable[[], object]] = deque()
        self._newest: Callable[[], object] | None = None
        self._asked: deque[Callable[[], object]] = deque()
        self._ended = False

    @property
    def overtaken(self) -> bool:
        """Say whether the task in hand should make way."""
        return self._newest is not None or bool(self._told) or self._ended

    def do(self, task: Callable[[], object]) -> None:
        """Run a task before all others; what was told first runs first."""
        self._put(lambda: self._told.append(task))

    def refresh(self, task: Callable[[], object]) -> None:
        """Run a task in the place of one that was asked for before and has not begun."""

        def put() -> None:
            self._newest = task

        self._put(put)

    def ask(self, task: Callable[[], object]) -> None:
        """Run a task when there is nothing else to do."""
        self._put(lambda: self._asked.append(task))

    def forget(self) -> None:
        """Drop what has not begun, but for what was told by `do`."""
        with self._ready:
            self._newest = None
            self._asked.clear()

    def end(self) -> None:
        """Run what was told by `do`, forget the rest, and wait for the thread to end."""
        self.forget()
        with self._ready:
            self._ended = True
            self._ready.notify_all()
        if self._thread is not None:
            self._thread.join()
        for task in self._told:  # the thread never began
            task()

    def _put(self, put: Callable[[], object]) -> None:
        with self._ready:
            if self._ended:
                return
            put()
            self._ready.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            task()
            del task  # it may hold much, and the next one may be long in coming

    def _next(self) -> Callable[[], object] | None:
        with self._ready:
            while True:
                if self._told:
                    return self._told.popleft()
                if self._ended:
                    return None
                if self._newest is not None:
                    task, self._newest = self._newest, None
                    return task
                if self._asked:
                    return self._asked.popleft()
                self._ready.wait()

"""One picture to its faces, in a process that keeps its model."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import cv2
from threadpoolctl import threadpool_limits

from ..errors import DataError, EfldError
from ..parallel import interrupts_blocked
from ..writers import face_cells
from .settings import ExtractSettings


class Task(NamedTuple):
    """A picture that is to be looked at.

    Parameters
    ----------
    number : int
        Its place among the inputs, from 0.
    path : str
        Where it lies; absolute, since another process may stand elsewhere.
    """

    number: int
    path: str


class Outcome(NamedTuple):
    """What came of a picture.

    Parameters
    ----------
    number : int
        Its place among the inputs, from 0.
    size, time : int
        Of its file, in bytes, and of the last change, in nanoseconds; -1 = there is no file.
    error : str or None
        Why it could not be used, without its name.
    faces : list of lists
        Values of `efld_dlib.writers.face_columns` of each face, the surest first.
    """

    number: int
    size: int
    time: int
    error: str | None
    faces: list[list[float | None]]


def shown(name: str) -> str:
    r"""A file name as text that can be written: bytes in it that are no UTF-8 become ``\udcNN``.

    A zero byte, which Python 3.10 writes into no CSV, becomes ``\x00``.

    Examples
    --------
    >>> shown(b"caf\xc3\xa9 \xff.jpg".decode("utf-8", "surrogateescape"))
    'café \\udcff.jpg'
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def file_state(path: str) -> tuple[int, int]:
    """Size of a file in bytes and time of its last change in nanoseconds; -1, -1 without one."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        # ValueError: a list that is none, but a picture or a program, has names with zero bytes.
        return -1, -1
    return found.st_size, found.st_mtime_ns


def look_at(landmarker: Any, settings: ExtractSettings, task: Task) -> Outcome:
    """Find the faces of a picture; whatever is wrong with it becomes part of the outcome."""
    # Before the picture is read: one that is changed meanwhile is not taken for the new one.
    state = file_state(task.path)
    cells: list[list[float | None]] = []
    problem = None
    try:
        chosen = settings.chosen(landmarker.scheme)
        cells = [face_cells(face, chosen) for face in landmarker.detect(task.path)]
    except DataError as error:
        problem = error.problem
    except MemoryError:
        problem = "needs more memory than there is"
    except Exception as error:
        # A picture that nobody thought of must not end a run over a million others.
        problem = shown(f"failed ({type(error).__name__}: {error})")
    return Outcome(task.number, *state, problem, cells)


_LOCK = threading.Lock()


def look_at_here(settings: ExtractSettings, identity: dict[str, Any], task: Task) -> Outcome:
    """`look_at` in a process of a cluster, which loads the model when the first picture comes.

    Raises
    ------
    EfldError
        The model cannot be loaded, or what is installed here would give other results.
    """
    # One picture at a time: a worker of several threads has one landmarker.
    with _LOCK:
        return look_at(_landmarker(settings, tuple(sorted(identity.items()))), settings, task)


@lru_cache(maxsize=1)
def _landmarker(settings: ExtractSettings, identity: tuple[tuple[str, Any], ...]) -> Any:
    # OpenCV's threads would compete with the other processes.
    cv2.setNumThreads(1)
    here = settings.identity()
    for name, value in identity:
        if here[name] != value:
            raise EfldError(f"a worker of the cluster has another {name} than this machine")
    return settings.landmarker()


READY = "ready"
"""What a worker sends once its model is loaded."""


def work(connection: Connection, settings: ExtractSettings) -> None:
    """Answer every `Task` that comes with its `Outcome`, in order, until None comes.

    Where the model cannot be loaded, the `EfldError` is sent instead of `READY`.
    """
    # Ctrl-C is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    # OpenCV's threads and those of numpy's linear algebra would compete with the other processes;
    # and the last bits of the latter's results depend on their number.
    cv2.setNumThreads(1)
    threadpool_limits(1, "blas")
    # The parent may be gone, and then so is the work.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            landmarker = settings.landmarker()
        except EfldError as error:
            connection.send(error)
            return
        connection.send(READY)
        while (task := connection.recv()) is not None:
            connection.send(look_at(landmarker, settings, task))


# Pictures that wait in front of a worker, so that it need not wait for us; and outcomes, for each
# worker, that may be ahead of one that takes long. What is in memory is bounded by these.
_QUEUED = 2
_AHEAD = 32

MOST_DEATHS = 8
"""So many workers may die one after the other without an outcome between."""


class _Worker:
    """A process, the pipe to it, and the tasks that it has not answered."""

    def __init__(self, settings: ExtractSettings) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, settings), daemon=True)
        with interrupts_blocked():
            self.process.start()
        # Now the worker alone holds that end, and its death closes it.
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.ready = False

    def give(self, task: Task | None) -> None:
        """Send a task, or None as the sign to end."""
        if task is not None:
            self.tasks.append(task)
        # If it has died, reading from the pipe will tell.
        with suppress(OSError):
            self.connection.send(task)

    def end(self) -> str:
        """Make sure that it is gone, and say how it went."""
        self.connection.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class Workers:
    """Processes that each load the model once.

    Parameters
    ----------
    settings : ExtractSettings
    jobs : int
        Number of processes.
    """

    def __init__(self, settings: ExtractSettings, jobs: int) -> None:
        self.settings, self.jobs = settings, jobs
        self.workers: list[_Worker] = []
        self.queue: deque[Task] = deque()
        self.deaths: Counter[int] = Counter()
        self.deaths_in_a_row = 0
        self.done: dict[int, Outcome] = {}

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes of the tasks, in their order.

        A picture whose worker dies is given to another one, and if that dies too, has an outcome
        that says so.

        Raises
        ------
        EfldError
            The model cannot be loaded, or the workers die whatever they do.
        """
        source = iter(tasks)
        # Numbers of the tasks that have no outcome yet, or one that waits for those before it.
        wanted: deque[int] = deque()
        try:
            self.workers = [_Worker(self.settings) for _ in range(self.jobs)]
            while True:
                for task in islice(source, self.jobs * _AHEAD - len(wanted)):
                    wanted.append(task.number)
                    self.queue.append(task)
                if not wanted:
                    return
                self._give_out()
                if wanted[0] in self.done:
                    yield self.done.pop(wanted.popleft())
                else:
                    self._take_in()
        finally:
            self._stop()

    def _give_out(self) -> None:
        # By turns, so that no worker has two tasks while another one has none.
        for depth in range(1, _QUEUED + 1):
            for worker in self.workers:
                if worker.ready and len(worker.tasks) < depth and self.queue:
                    worker.give(self.queue.popleft())

    def _take_in(self) -> None:
        by_connection = {worker.connection: worker for worker in self.workers}
        for connection in wait(list(by_connection)):
            assert isinstance(connection, Connection)
            worker = by_connection[connection]
            try:
                message = connection.recv()
            except (EOFError, OSError):
                self._replace(worker)
                continue
            if isinstance(message, Outcome):
                worker.tasks.popleft()
                self.deaths_in_a_row = 0
                self.done[message.number] = message
            elif message == READY:
                worker.ready = True
            else:
                raise message

    def _replace(self, worker: _Worker) -> None:
        how = worker.end()
        self.deaths_in_a_row += 1
        if self.deaths_in_a_row > MOST_DEATHS:
            raise EfldError(
                f"{self.deaths_in_a_row} worker processes died one after the other (the last one: "
                f"{how}): out of memory, or dlib or OpenCV do not work here, or a script that "
                "starts processes without 'if __name__ == \"__main__\":'"
            )
        if worker.tasks:
            # They are answered in order: the first one was being looked at.
            suspect = worker.tasks.popleft()
            self.deaths[suspect.number] += 1
            if self.deaths[suspect.number] == 1:
                worker.tasks.append(suspect)
            else:
                problem = f"two processes died of it, or while they looked at it ({how})"
                state = file_state(suspect.path)
                self.done[suspect.number] = Outcome(suspect.number, *state, problem, [])
        # To the head of the queue: the outcomes of later ones wait for theirs.
        self.queue.extendleft(reversed(worker.tasks))
        self.workers[self.workers.index(worker)] = _Worker(self.settings)

    def _stop(self) -> None:
        for worker in self.workers:
            if worker.ready and not worker.tasks:
                worker.give(None)
            else:
                # Nobody waits for what it is doing.
                worker.process.kill()
        for worker in self.workers:
            worker.end()
        self.workers = []

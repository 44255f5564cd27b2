"""Worker processes on this machine: pictures out, outcomes back in order, and the dead replaced."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import EfldError
from ..parallel import interrupts_blocked
from .picture import Outcome, Task, file_state
from .settings import ExtractSettings
from .worker import READY, work

# Pictures that wait in front of a worker, so that it need not wait for us; and outcomes, for each
# worker, that may be ahead of one that takes long. What is in memory is bounded by these.
_QUEUED = 2
_AHEAD = 32

MOST_DEATHS = 8
"""So many workers may die one after the other without an outcome between."""

# The threads of numpy's linear algebra compete with the processes, and the last bits of its results
# depend on their number.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


class _Worker:
    """A process, the pipe to it, and the tasks that it has not answered."""

    def __init__(self, settings: ExtractSettings) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, settings), daemon=True)
        with _environment(_ONE_THREAD), interrupts_blocked():
            self.process.start()
        # Now the worker alone holds that end, and its death closes it.
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.ready = False

    def give(self, task: Task) -> None:
        self.tasks.append(task)
        # If it has died, reading from the pipe will tell.
        with suppress(OSError):
            self.connection.send(task)

    def dismiss(self) -> None:
        with suppress(OSError):
            self.connection.send(None)

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
            self._understand(worker, message)

    def _understand(self, worker: _Worker, message: Any) -> None:
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
                worker.dismiss()
            else:
                # Nobody waits for what it is doing.
                worker.process.kill()
        for worker in self.workers:
            worker.end()
        self.workers = []


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

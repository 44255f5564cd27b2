"""The same work on a Dask cluster: many machines, some of which may go away meanwhile."""

from __future__ import annotations

import importlib
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from types import ModuleType
from typing import Any

from ..errors import EfldError, MissingDependencyError
from .settings import ExtractSettings
from .workers import Outcome, Task, file_state, look_at_here

# Pictures under way for each thread of the cluster, and at least so many: what is in memory here.
_AHEAD = 8
_LEAST = 16

# How often the size of the cluster is looked at, and how long it may be without a worker.
_LOOK_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
_CONNECT_SECONDS = 10


def cluster_outcomes(
    address: str, settings: ExtractSettings, tasks: Iterable[Task]
) -> Iterator[Outcome]:
    """Outcomes of the tasks, in their order, as in `workers`.

    Dask itself gives the pictures of a worker that has gone to another one. One that takes several
    workers with it (Dask's ``allowed-failures``) has an outcome that says so.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://HOST:PORT``. Its workers need this package, and must find the
        pictures and the model under the same paths.
    settings : ExtractSettings
        With absolute paths.
    tasks : iterable of Task

    Raises
    ------
    MissingDependencyError
        Dask is not installed.
    EfldError
        The scheduler does not answer or goes away; there is no worker for a minute; a worker
        has another version of the program or the model.
    """
    distributed = _load_distributed()
    try:
        client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EfldError(f"{address}: no Dask scheduler answers there ({error})") from error
    with client:
        cluster = _Cluster(distributed, client)
        submit = partial(client.submit, look_at_here, settings, settings.identity(), pure=False)
        run_name = f"efld-{uuid.uuid4().hex}"
        source = iter(tasks)
        under_way: deque[tuple[Task, Any]] = deque()
        while True:
            for task in islice(source, max(0, cluster.window - len(under_way))):
                # The key is the picture's: Dask knows a task that is done from one that is not.
                under_way.append((task, submit(task, key=f"{run_name}-{task.number}")))
            if not under_way:
                return
            yield cluster.result(*under_way.popleft())


class _Cluster:
    def __init__(self, distributed: ModuleType, client: Any) -> None:
        self.distributed, self.client = distributed, client
        self.seen = time.monotonic()
        self.window = _LEAST
        self._look()

    def result(self, task: Task, future: Any) -> Outcome:
        while True:
            try:
                outcome: Outcome = future.result(timeout=_LOOK_SECONDS)
            except self.distributed.TimeoutError:
                self._look()
            except self.distributed.KilledWorker:
                problem = "several workers of the cluster died of it, or while they looked at it"
                return Outcome(task.number, *file_state(task.path), problem, [])
            except EfldError:
                raise
            except Exception as error:
                raise EfldError(
                    f"the cluster cannot go on ({type(error).__name__}: {error})"
                ) from error
            else:
                return outcome

    def _look(self) -> None:
        """Fit the window to the cluster, and give up where it has had no worker for long."""
        try:
            threads = sum(self.client.nthreads().values())
        except OSError as error:
            raise EfldError(f"the cluster's scheduler has gone away ({error})") from error
        now = time.monotonic()
        if threads:
            self.seen = now
            self.window = max(_LEAST, _AHEAD * threads)
        elif now - self.seen > _PATIENCE_SECONDS:
            raise EfldError(f"the cluster has had no worker for {_PATIENCE_SECONDS:.0f} seconds")


def _load_distributed() -> ModuleType:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise MissingDependencyError(
            f"a cluster needs Dask ({error}): pip install dask distributed"
        ) from error

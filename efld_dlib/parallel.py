"""Spreading work over processes, in order and with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

from .errors import EfldError, OptionError

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_jobs(jobs: int | None) -> int:
    """`jobs` where it is given, else the number of cores; an `OptionError` below 1."""
    if jobs is None:
        return available_cores()
    if jobs < 1:
        raise OptionError(f"jobs must be at least 1, not {jobs}")
    return jobs


def progress(
    items: Iterable[Item], total: int | None, title: str, show: bool = True, initial: int = 0
) -> Iterable[Item]:
    """`items` with a progress bar on stderr, where that is a terminal.

    Of `total` items, `initial` are done already, and do not count in the rate.
    """
    return tqdm(
        items,
        total=total,
        initial=initial,
        desc=title,
        file=sys.stderr,
        disable=not show or not sys.stderr.isatty(),
        dynamic_ncols=True,
    )


def parallel_map(
    function: Callable[[Item], Result], items: list[Item], jobs: int, chunk: int = 8
) -> Iterator[Result]:
    """Results of ``function(item)`` in the order of `items`.

    Parameters
    ----------
    function : callable
        A function at the top level of a module, so that it can be sent to another process.
    items : list
        Its arguments.
    jobs : int
        Number of processes; with 1 everything happens in this one.
    chunk : int
        Items sent to a process at a time.

    Raises
    ------
    EfldError
        A process died.
    """
    if jobs <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    executor = ProcessPoolExecutor(
        min(jobs, len(items)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_quiet_worker,
    )
    ended = False
    try:
        with interrupts_blocked():
            results = executor.map(function, items, chunksize=chunk)
        yield from results
        ended = True
    except BrokenProcessPool as error:
        raise EfldError(
            "a worker process died: out of memory, or a script that starts processes without "
            "'if __name__ == \"__main__\":' (jobs=1 starts none)"
        ) from error
    finally:
        # When the caller stops early or is interrupted, what has not begun is not wanted. Otherwise
        # the processes are waited for: Python complains of those that end as it does itself.
        executor.shutdown(wait=ended, cancel_futures=True)


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Keep Ctrl-C, which is the parent's, from processes that start here: while they import too."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _quiet_worker() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C is the parent's, on Windows too; OpenCV's threads would compete with the processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """End this process when its parent was killed, which has no more word for it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""What a measurement was made on: machine, versions, and one core to run on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import cv2
from threadpoolctl import threadpool_limits

from ..backend import load_dlib
from ..parallel import available_cores

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def describe_machine() -> dict[str, object]:
    """CPU, cores, system and load; neither a host's name nor a path."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": _cpu_model(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_at_start": None if load is None else round(load, 2),
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:(.*)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or "unknown"


def versions() -> dict[str, str]:
    """Versions of Python and of what the toolkit computes with."""
    from .. import __version__

    return {
        "efld_dlib": __version__,
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "opencv": cv2.__version__,
        "dlib": load_dlib().__version__,
    }


@contextmanager
def one_thread() -> Iterator[bool]:
    """A block in which everything runs on one thread.

    OpenCV and the usual numeric libraries are told so. Where the system allows it, the process
    is also held to one core: that binds what starts threads of its own and cannot be told.

    Yields
    ------
    bool
        Whether the process is held to one core.
    """
    before = {name: os.environ[name] for name in _THREADS if name in os.environ}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    try:
        if cores is not None:
            os.sched_setaffinity(0, {max(cores)})
        # The variables are for processes that are started from here: numpy has read them already,
        # and threads that share one core wait for each other.
        with threadpool_limits(1):
            yield cores is not None
    finally:
        if cores is not None:
            os.sched_setaffinity(0, cores)
        cv2.setNumThreads(threads)
        for name in _THREADS:
            os.environ.pop(name, None)
        os.environ.update(before)

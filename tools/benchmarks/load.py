"""Load time and peak memory of one method, measured in a process of its own; file sizes."""

from __future__ import annotations

import lzma
import multiprocessing
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import cv2

from efld_dlib.backend import load_dlib
from efld_dlib.boxes import Box
from efld_dlib.errors import EfldError
from efld_dlib.images import Image

from .peers.base import Method, Picture

LZMA_PRESET = 0
"""Higher ones take minutes for a file of 100 MB and make trees only about 4 % smaller."""


class Load(NamedTuple):
    """Seconds until the first face is answered, and the process's peak memory in bytes."""

    seconds: float
    peak: int | None


class LoadError(EfldError):
    """A method that cannot be loaded, or does not answer its first face."""


def measure_load(method: Method | None, frame: Image, box: Box) -> Load:
    """Load `method` in a new process and let it answer one face.

    The process has Python, numpy, OpenCV and dlib in it when the clock starts; what else a method
    imports belongs to its time. Files are read from the system's cache.

    Parameters
    ----------
    method : Method, or None
        None loads nothing, and gives the memory that every method starts from.
    frame : array, shape (height, width, 3)
        RGB picture.
    box : Box
        The face in it.

    Raises
    ------
    LoadError
        It cannot be loaded; the message says why.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _quiet) as pool:
        try:
            return pool.submit(_load, method, frame, box).result()
        except BrokenProcessPool as error:
            raise LoadError("its process ended without an answer") from error


def _quiet() -> None:
    # Ctrl-C is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    load_dlib()


def _load(method: Method | None, frame: Image, box: Box) -> Load:
    picture = Picture.of(frame)
    started = time.perf_counter()
    if method is not None:
        run_first(method, picture, box)
    return Load(time.perf_counter() - started, peak_memory())


def run_first(method: Method, picture: Picture, box: Box) -> None:
    """Load a method and let it answer; whatever goes wrong in it becomes a `LoadError`.

    Foreign packages raise what they like, and one of them ends the program.

    Raises
    ------
    LoadError
        Its message is the first line of what went wrong.
    """
    try:
        method.load().landmarks(picture, box)
    except (Exception, SystemExit) as error:
        reason = str(error).strip().splitlines()
        name = "" if isinstance(error, EfldError) else f"{type(error).__name__}: "
        raise LoadError(name + (reason[0] if reason else "no reason given")) from None


def peak_memory() -> int | None:
    """Most memory that this process has held at once, in bytes; None where it is not known."""
    try:
        # Unlike getrusage's figure, this one does not begin with that of the parent process.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Size(NamedTuple):
    """Bytes of a method's files, as they lie there and compressed."""

    plain: int
    compressed: int


def measure_size(files: Sequence[Path]) -> Size:
    """Bytes of `files`, and bytes of them compressed with lzma at `LZMA_PRESET`."""
    contents = [file.read_bytes() for file in files]
    return Size(
        sum(map(len, contents)),
        sum(len(lzma.compress(content, preset=LZMA_PRESET)) for content in contents),
    )

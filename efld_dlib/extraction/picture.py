"""One picture to its faces, in a process that keeps its model."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Any, NamedTuple

from ..errors import DataError, EfldError
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
    try:
        faces = landmarker.detect(task.path)
        cells = [face_cells(face, settings.chosen) for face in faces]
    except DataError as error:
        return Outcome(task.number, *state, error.problem, [])
    except MemoryError:
        return Outcome(task.number, *state, "needs more memory than there is", [])
    except Exception as error:
        # A picture that nobody thought of must not end a run over a million others.
        problem = shown(f"failed ({type(error).__name__}: {error})")
        return Outcome(task.number, *state, problem, [])
    return Outcome(task.number, *state, None, cells)


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
    use_one_thread()
    here = settings.identity()
    for name, value in identity:
        if here[name] != value:
            raise EfldError(f"a worker of the cluster has another {name} than this machine")
    return settings.landmarker()


def use_one_thread() -> None:
    """Keep OpenCV from starting threads, which would compete with the other processes."""
    import cv2

    cv2.setNumThreads(1)

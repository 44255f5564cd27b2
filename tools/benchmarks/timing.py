"""Methods in turn over the same faces and frames: A B C, B C A, … , one call after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.errors import EfldError
from efld_dlib.images import Image, read_image
from efld_dlib.parallel import progress

from .faces import BenchmarkFace
from .peers.base import Picture, Runner

Item = TypeVar("Item")


def in_turn(items: Sequence[Item], turn: int) -> list[Item]:
    """`items`, begun at another one in each turn.

    Examples
    --------
    >>> [in_turn("abc", turn) for turn in range(2)]
    [['a', 'b', 'c'], ['b', 'c', 'a']]
    """
    start = turn % len(items)
    return [*items[start:], *items[:start]]


@dataclass
class Pass:
    """What one method did.

    Parameters
    ----------
    name : str
        The method's.
    points : list of array or None
        Landmarks of each face, shape (68, 2); None where the detector or the method misses it.
    seconds : list of float
        Mean time a face, for each turn.
    frames : dict
        Frame size -> frames a second, for each turn.
    faces_in_frame : dict
        Frame size -> faces that it found in the one-face frame.
    """

    name: str
    points: list[FloatArray | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    frames: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    faces_in_frame: dict[tuple[int, int], int] = field(default_factory=dict)


def run_faces(
    runners: Sequence[tuple[Runner, Pass]],
    faces: Sequence[BenchmarkFace],
    block: int,
    rounds: int,
    show_progress: bool,
) -> None:
    """Landmarks of all faces by all methods, into their passes.

    The methods take turns over blocks of faces, so that a change in the machine's speed meets all
    of them. Within a block each has different faces in front of it, as in use: on one face again
    and again a large model would look faster than it is, since the part of it that this face
    needs would stay in the processor's cache.

    Parameters
    ----------
    runners : sequence of (Runner, Pass)
    faces : sequence of BenchmarkFace
    block : int
        Faces in a block.
    rounds : int
        Turns of every method on each block.

    Raises
    ------
    EfldError
        A method fails on a face.
    """
    turn = 0
    for pictures in progress(
        _blocks(faces, block), -(-len(faces) // block), "landmarks", show_progress
    ):
        boxed = [(picture, box) for picture, box in pictures if picture is not None and box]
        for lap in range(rounds if boxed else 1):
            for runner, log in in_turn(runners, turn):
                started = time.perf_counter()
                try:
                    answers = iter([runner.landmarks(picture, box) for picture, box in boxed])
                except Exception as error:
                    # Foreign packages raise what they like.
                    raise EfldError(f"{log.name} failed on a face: {error}") from error
                elapsed = time.perf_counter() - started
                if boxed:
                    log.seconds.append(elapsed / len(boxed))
                if lap == 0:
                    log.points += [None if box is None else next(answers) for _, box in pictures]
            turn += 1


def _blocks(
    faces: Sequence[BenchmarkFace], block: int
) -> Iterator[list[tuple[Picture | None, Box | None]]]:
    """Pictures and boxes, a block at a time; no picture is read that has no box."""
    for start in range(0, len(faces), block):
        yield [
            (None if face.box is None else Picture.of(read_image(face.path)), face.box)
            for face in faces[start : start + block]
        ]


def run_frames(
    runners: Sequence[tuple[Runner, Pass]],
    frames: Sequence[Image],
    repeats: int,
    seconds: float,
    rounds: int,
    show_progress: bool,
) -> None:
    """The whole pipeline on each frame by all methods in turn, into their passes.

    Parameters
    ----------
    runners : sequence of (Runner, Pass)
    frames : sequence of array
        RGB frames.
    repeats : int
        Runs on a frame in one turn ...
    seconds : float
        ... or fewer, if they take longer than this.
    rounds : int
        Turns of every method on each frame.
    """
    plan = [(frame, turn) for turn in range(rounds) for frame in frames]
    for frame, turn in progress(plan, len(plan), "whole pipeline", show_progress):
        size = (frame.shape[1], frame.shape[0])
        for runner, log in in_turn(runners, turn):
            if size not in log.faces_in_frame:
                # Also the warming up: buffers of this size are made now.
                log.faces_in_frame[size] = runner.count_faces(frame)
            done, started = 0, time.perf_counter()
            while done < repeats and (not done or time.perf_counter() - started < seconds):
                runner.count_faces(frame)
                done += 1
            rate = done / (time.perf_counter() - started)
            log.frames.setdefault(size, []).append(rate)


def median(values: Sequence[float]) -> float:
    """The median, NaN where there is none."""
    return float(np.median(values)) if len(values) else float("nan")


def paired_ratio(values: Sequence[float], first: Sequence[float]) -> float:
    """Median over the turns of a method's figure divided by that of the first method."""
    return median([value / other for value, other in zip(values, first, strict=True)])

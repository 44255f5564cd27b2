"""From what the methods did to the figures of the table's rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..boxes import FloatArray
from .benchmark_faces import BenchmarkFace
from .benchmark_load import Load, measure_size
from .benchmark_result import FrameSize, Row
from .benchmark_timing import Pass, median, paired_ratio
from .metrics import mean_given, normalised_mean_errors
from .peers.base import ALL_68, Method


@dataclass(eq=False)
class Entry:
    """A method while it is measured: what loading it cost, each time, and what it did."""

    method: Method
    loads: list[Load] = field(default_factory=list)
    log: Pass = field(init=False)

    def __post_init__(self) -> None:
        self.log = Pass(self.method.name)


def make_rows(
    entries: Sequence[Entry],
    faces: Sequence[BenchmarkFace],
    test_set: str,
    trained_on_test: Collection[str] = (),
) -> tuple[Row, ...]:
    """The rows, each with its ratios to the first.

    Parameters
    ----------
    entries : sequence of Entry
    faces : sequence of BenchmarkFace
    test_set : str
        Data set that the faces belong to, as in `Method.trained_on`.
    trained_on_test : collection of str
        Names of further methods that have seen these very faces.
    """
    first = entries[0]
    rows = [
        _row(entry, first, faces, _marks(entry, test_set, entry.log.name in trained_on_test))
        for entry in entries
    ]
    return tuple(
        replace(row, ratios=_ratios(row, entry.log, rows[0], first.log))
        for row, entry in zip(rows, entries, strict=True)
    )


def _row(entry: Entry, first: Entry, faces: Sequence[BenchmarkFace], marks: tuple[str, ...]) -> Row:
    method, log = entry.method, entry.log
    errors = _errors(log, faces, method.common)
    reference = _errors(first.log, faces, method.common)
    peaks = [load.peak for load in entry.loads if load.peak is not None]
    return Row(
        name=method.name,
        points=method.size,
        common=len(method.common),
        nme=float(mean_given(errors)),
        reference_nme=float(mean_given(np.where(np.isfinite(errors), reference, np.nan))),
        missed=sum(points is None for points in log.points),
        faces_per_second=1 / median(log.seconds) if log.seconds else float("nan"),
        frames_per_second={size: median(rates) for size, rates in log.frames.items()},
        faces_in_frame=dict(log.faces_in_frame),
        load=Load(
            median([load.seconds for load in entry.loads]), int(median(peaks)) if peaks else None
        ),
        size=measure_size(method.files()),
        ratios={},
        marks=marks,
    )


def _errors(log: Pass, faces: Sequence[BenchmarkFace], common: tuple[int, ...]) -> FloatArray:
    """Error of each face on the common landmarks; NaN where there is none."""
    predicted = np.full((len(faces), len(ALL_68), 2), np.nan)
    for index, points in enumerate(log.points):
        if points is not None:
            predicted[index, list(common)] = points[list(common)]
    return normalised_mean_errors(predicted, np.array([face.truth for face in faces]))


def _ratios(row: Row, log: Pass, first: Row, first_log: Pass) -> dict[str, float]:
    """Figures of `row` divided by those of `first`; the speeds turn by turn."""
    ratios = {
        "nme": row.nme / row.reference_nme,
        "faces_per_second": paired_ratio(first_log.seconds, log.seconds),
        "load_seconds": row.load.seconds / first.load.seconds,
        "file_bytes": row.size.plain / first.size.plain,
        "lzma_bytes": row.size.compressed / first.size.compressed,
    }
    if row.load.peak and first.load.peak:
        ratios["peak_memory_bytes"] = row.load.peak / first.load.peak
    for size, rates in log.frames.items():
        ratios[f"frames_per_second_{size_name(size)}"] = paired_ratio(rates, first_log.frames[size])
    return ratios


def size_name(size: FrameSize) -> str:
    """A frame size as one writes it."""
    return f"{size[0]}x{size[1]}"


def _marks(entry: Entry, test_set: str, seen: bool) -> tuple[str, ...]:
    """What a reader has to know; `seen`: the caller knows that it was trained on these faces."""
    method, marks = entry.method, []
    if seen or (method.trained_on and method.trained_on == test_set):
        marks.append("trained on this test set")
    elif method.trained_on:
        marks.append(f"trained on all of {method.trained_on}")
    common = len(method.common)
    if common < len(ALL_68):
        other = "" if common == method.size else "other point definitions: "
        marks.append(
            f"{other}compared on the {common} of the 68 points that mean the same; in brackets "
            "the first row's error on these points of the same faces"
        )
    marks += method.notes
    for size, count in entry.log.faces_in_frame.items():
        if count != 1:
            marks.append(f"found {count} faces in the one-face frame of {size_name(size)}")
    return tuple(marks)

"""What was measured of detectors, as tables and as data for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from .bootstrap import Figure
from .detection import PARTS, FaceClass, ImageRun, Part, Summary, face_classes, missed, summarise
from .tables import Table, number, percent

TIMES = (
    "Times: one thread, detectors by turns on each image. Frame rate: the median over the images "
    "of the first detector's time over this one's."
)
OTHERS = "Others: detections that belong to no annotated face, people whom nobody annotated too."


def by_source(runs: Iterable[ImageRun]) -> dict[str, list[ImageRun]]:
    """The runs of each source, in the order in which the sources come."""
    sources: dict[str, list[ImageRun]] = {}
    for run in runs:
        sources.setdefault(run.source, []).append(run)
    return sources


def source_table(runs: Sequence[ImageRun], names: Sequence[str]) -> Table:
    """Faces that each detector missed, by source."""
    sources = by_source(runs)
    if len(sources) > 1:
        sources["all"] = list(runs)
    rows = []
    for source, some in sources.items():
        summaries = [summarise(some, name, names[0]) for name in names]
        head = (source, str(summaries[0].images), str(summaries[0].faces))
        rows.append((*head, *(_of(each.missed, each.faces) for each in summaries)))
    header = ("source", "images", "faces", *names)
    return Table("Faces missed", header, tuple(rows), "Number, and per cent.")


def recall_table(
    runs: Sequence[ImageRun],
    names: Sequence[str],
    title: str = "Faces found, in per cent",
    parts: Sequence[Part] = PARTS,
) -> Table:
    """Faces that each detector found, over all and by classes."""
    faces = [face for run in runs for face in run.faces]
    classes = [FaceClass("all", 0, math.inf, faces), *face_classes(faces, parts)]
    rows = []
    for each in classes:
        total = len(each.faces)
        cells = (per_cent(total - missed(each.faces, name), total) for name in names)
        rows.append((each.name, str(total), *cells))
    note = (
        "Yaw and roll in degrees; size: width of the box in pixels; mean gray: in that box, 0 to "
        "255. Faces half hidden by the head are in no class of yaw."
    )
    return Table(title, ("faces", "number", *names), tuple(rows), note)


def time_table(runs: Sequence[ImageRun], names: Sequence[str]) -> Table:
    """Other detections and time of each detector."""
    rows = []
    for name in names:
        each = summarise(runs, name, names[0])
        rows.append((name, str(each.others), *_times(each)))
    header = ("detector", "others", "ms, median", "ms, mean", "frame rate")
    title = f"Other detections and time, {len(runs)} images"
    return Table(title, header, tuple(rows), f"{OTHERS}\n{TIMES}")


def alarm_table(runs: Sequence[ImageRun], names: Sequence[str]) -> Table:
    """False alarms and time of each detector on images without a face."""
    rows = []
    for name in names:
        each = summarise(runs, name, names[0])
        share = Figure(
            each.alarmed / each.images if each.images else math.nan,
            each.alarmed_low,
            each.alarmed_high,
        )
        rows.append((name, str(each.alarmed), percent(share), str(each.others), *_times(each)))
    header = (
        "detector",
        "images with a false alarm",
        "per cent [95 %]",
        "false alarms",
        "ms, median",
        "ms, mean",
        "frame rate",
    )
    return Table(f"{len(runs)} images without a face", header, tuple(rows), TIMES)


def figures(
    runs: Sequence[ImageRun], names: Sequence[str], parts: Sequence[Part] = PARTS
) -> dict[str, Any]:
    """All figures of runs: by detector, by classes of faces, and what was missed where.

    What cannot be computed is None, since JSON has no NaN.
    """
    faces = [face for run in runs for face in run.faces]
    return {
        "detectors": {name: _finite(asdict(summarise(runs, name, names[0]))) for name in names},
        "classes": [
            {
                "quantity": each.label,
                "low": each.low,
                "high": None if math.isinf(each.high) else each.high,
                "faces": len(each.faces),
                "missed": {name: missed(each.faces, name) for name in names},
            }
            for each in face_classes(faces, parts)
        ],
        "missed": {
            name: [
                f"{run.name}#{place}"
                for run in runs
                for place, face in enumerate(run.faces)
                if name not in face.scores
            ]
            for name in names
        },
        "others": {
            name: [
                [run.name, *(round(score, 4) if math.isfinite(score) else None for score in found)]
                for run in runs
                if (found := run.others[name])
            ]
            for name in names
        },
        "found_scores": {
            name: sorted(
                round(face.scores[name], 4)
                for face in faces
                if math.isfinite(face.scores.get(name, math.nan))
            )
            for name in names
        },
    }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }


def _times(each: Summary) -> tuple[str, str, str]:
    return number(each.ms_median, 1), number(each.ms_mean, 1), number(each.rate)


def _of(count: int, total: int) -> str:
    return f"{count} ({number(100 * count / total if total else math.nan)})"


def per_cent(count: int, total: int) -> str:
    """A share of a total, for a table."""
    return number(100 * count / total if total else math.nan, 1)

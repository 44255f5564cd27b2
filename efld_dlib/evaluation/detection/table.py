"""What was measured of detectors, as tables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from ..tables import DASH, Table, number
from .measure import PARTS, DetectedFace, DetectorRun


def recall_table(run: DetectorRun, names: Sequence[str], title: str) -> Table:
    """Faces found by each detector in per cent, over all and by yaw, roll and size."""
    rows = [_row("all", run.faces, names)]
    for label, quantity, limits in PARTS:
        values = np.array([quantity(face) for face in run.faces])
        for low, high in itertools.pairwise(limits):
            inside = [run.faces[i] for i in np.flatnonzero((values >= low) & (values < high))]
            upper = f"{low:g}+" if high == limits[-1] else f"{low:g} to {high:g}"
            if inside:
                rows.append(_row(f"{label} {upper}", inside, names))
    first = names[0]
    rows.append(
        ("others", str(run.pictures), *(str(run.others[name]) for name in names)),
    )
    per_picture = {name: 1000 * run.seconds[name] / max(run.pictures, 1) for name in names}
    rows.append(("ms a picture", "", *(number(per_picture[name], 1) for name in names)))
    if per_picture[first]:
        ratios = (number(per_picture[first] / per_picture[name]) for name in names)
        rows.append((f"frame rate, {first} = 1", "", *ratios))
    note = (
        "Found, in per cent. Others: detections in these pictures that belong to no annotated "
        "face, people whom nobody annotated among them.\nTimes: detectors by turns on each "
        "picture, in one thread."
    )
    return Table(title, ("faces", "number", *names), tuple(rows), note)


def _row(label: str, faces: Sequence[DetectedFace], names: Sequence[str]) -> tuple[str, ...]:
    shares = (
        number(100 * float(np.mean([face.found[name] for face in faces])), 1) for name in names
    )
    return (label, str(len(faces)), *shares)


def turn_table(run: DetectorRun, names: Sequence[str], title: str) -> Table:
    """Faces found by each detector, and their landmarks' error, by the angle of the turn."""
    rows = []
    for turn in sorted({face.turn for face in run.faces}):
        faces = [face for face in run.faces if face.turn == turn]
        cells = [_row("", faces, names)[2 + place] for place in range(len(names))]
        for name in names:
            errors = [face.errors[name] for face in faces if name in face.errors]
            cells.append(number(100 * float(np.mean(errors))) if errors else DASH)
        rows.append((f"{turn:g}", str(len(faces)), *cells))
    header = ("turned by", "number", *names, *(f"NME {name}" for name in names))
    note = "Found, in per cent; NME in per cent of the distance of the outer eye corners."
    return Table(title, header, tuple(rows), note)


def alarm_table(
    alarms: Mapping[str, tuple[Mapping[str, int], int]],
    names: Sequence[str],
    sizes: Mapping[str, int | None],
) -> Table:
    """Detections in pictures without a face, by where the pictures come from."""
    rows = [
        (label, str(count), *(str(found[name]) for name in names))
        for label, (found, count) in alarms.items()
    ]
    total = sum(count for _, count in alarms.values())
    sums = (str(sum(found[name] for found, _ in alarms.values())) for name in names)
    rows.append(("all", str(total), *sums))
    files = (DASH if sizes[name] is None else str(sizes[name]) for name in names)
    rows.append(("bytes of the detector", "", *files))
    return Table("False alarms", ("pictures without a face", "number", *names), tuple(rows))

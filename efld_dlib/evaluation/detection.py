"""Measuring face detectors: recall by pose and size, false alarms, time; as tables and for JSON."""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..boxes import Box
from ..datasets.split import fold_of
from ..detection.detectors import Detector
from ..detection.framing import is_half, match_detections, true_box
from ..errors import DataError, Problems
from ..images import IMAGE_SUFFIXES, Image, read_image, to_gray
from ..pose import face_poses
from ..records import FaceAnnotation, ImageRecord
from ..tables import Table, for_json, number, share, span
from .bootstrap import CONFIDENCE, Figure, percent


class Traits(NamedTuple):
    """What may make a face hard to find.

    Parameters
    ----------
    yaw, roll : float
        Degrees; NaN = unknown. The yaw of a face half hidden by the head is NaN too.
    half : bool
        Whether the head hides one half of it.
    size : float
        Width in pixels of the box in which dlib's frontal detector would frame it.
    brightness : float
        Mean gray in that box, 0 to 255; NaN if the box lies outside the image.
    """

    yaw: float
    roll: float
    half: bool
    size: float
    brightness: float


@dataclass(frozen=True, eq=False)
class InputImage:
    """An image to run detectors on.

    Parameters
    ----------
    source, name : str
        Where it comes from, for the tables, and its own name.
    gray : array of uint8, shape (height, width)
    faces : sequence of FaceAnnotation
        With the 68 landmarks.
    traits : sequence of Traits
        Those of the faces.
    """

    source: str
    name: str
    gray: Image
    faces: Sequence[FaceAnnotation] = ()
    traits: Sequence[Traits] = ()


@dataclass(frozen=True)
class DetectedFace:
    """An annotated face, and what became of it.

    Parameters
    ----------
    traits : Traits
    scores : mapping of str to float
        By detector, the score of the detection that belongs to the face. A detector that missed
        the face is not in it.
    """

    traits: Traits
    scores: Mapping[str, float]


@dataclass(frozen=True)
class ImageRun:
    """What detectors made of an image.

    Parameters
    ----------
    source, name : str
    faces : tuple of DetectedFace
    others : mapping of str to tuple of float
        By detector, the scores of the detections that belong to no annotated face: false alarms,
        and people whom nobody annotated.
    seconds : mapping of str to float
        By detector.
    """

    source: str
    name: str
    faces: tuple[DetectedFace, ...]
    others: Mapping[str, tuple[float, ...]]
    seconds: Mapping[str, float]


def run_detectors(
    detectors: Mapping[str, Detector], images: Iterable[InputImage]
) -> list[ImageRun]:
    """Run detectors by turns over images; which one begins changes from image to image.

    Parameters
    ----------
    detectors : mapping of str to Detector
        By name.
    images : iterable of InputImage
    """
    runs: list[ImageRun] = []
    order = deque(detectors)
    for image in images:
        if not runs:
            # What is loaded at the first call does not count.
            for detector in detectors.values():
                detector(image.gray)
        runs.append(_run(detectors, image, order))
        order.rotate(-1)
    return runs


def _run(detectors: Mapping[str, Detector], image: InputImage, order: Iterable[str]) -> ImageRun:
    scores: list[dict[str, float]] = [{} for _ in image.faces]
    others: dict[str, tuple[float, ...]] = {}
    seconds: dict[str, float] = {}
    for name in order:
        began = time.perf_counter()
        found = detectors[name](image.gray)
        seconds[name] = time.perf_counter() - began
        boxes = match_detections(image.faces, found)
        for own, box in zip(scores, boxes, strict=True):
            if box is not None:
                own[name] = next(each.score for each in found if each.box is box)
        others[name] = tuple(
            each.score for each in found if not any(each.box is box for box in boxes)
        )
    faces = tuple(map(DetectedFace, image.traits, scores))
    return ImageRun(image.source, image.name, faces, others, seconds)


def traits_of(gray: Image, faces: Sequence[FaceAnnotation]) -> list[Traits]:
    """Traits of the faces of an image; each face has at least one landmark."""
    traits = []
    for face, pose in zip(faces, face_poses(faces), strict=True):
        half = is_half(face)
        box = true_box(face, float(pose[2])) or Box.around(face.points)
        # The mean face, fitted to one half alone, looks less turned than such heads are.
        yaw = np.nan if half else float(pose[0])
        traits.append(Traits(yaw, float(pose[2]), half, box.width, _mean_gray(gray, box)))
    return traits


def _mean_gray(gray: Image, box: Box) -> float:
    left, top = max(0, round(box.left)), max(0, round(box.top))
    right, bottom = max(0, round(box.right) + 1), max(0, round(box.bottom) + 1)
    part = gray[top:bottom, left:right]
    return float(part.mean()) if part.size else float("nan")


def annotated_images(
    records: Mapping[str, Iterable[ImageRecord]], problems: Problems
) -> Iterator[InputImage]:
    """The images of each source with their annotated faces; unreadable ones go to `problems`."""
    for source, some in records.items():
        for record in some:
            gray = _read_gray(record.path, problems)
            if gray is not None:
                faces = [face for face in record.faces if face.given.any()]
                name = "/".join(record.path.parts[-3:])
                yield InputImage(source, name, gray, faces, traits_of(gray, faces))


def faceless_images(
    folder: Path, fold: int | None, seed: int, problems: Problems
) -> Iterator[InputImage]:
    """The images in a folder and in those below it; none of them shows a face.

    Parameters
    ----------
    folder : Path
    fold, seed
        Only the images of this fifth, see `datasets.split.fold_of`.
    problems : Problems
        Takes those that cannot be read.

    Raises
    ------
    DataError
        There is no image.
    """
    chosen: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in IMAGE_SUFFIXES and fold in (None, fold_of(name, seed)):
            chosen[name] = path
    if not chosen:
        part = "" if fold is None else f" in fold {fold}"
        raise DataError(folder, f"holds no image{part}")
    for name, path in chosen.items():
        gray = _read_gray(path, problems)
        if gray is not None:
            yield InputImage("faceless", name, gray)


def _read_gray(path: Path, problems: Problems) -> Image | None:
    """The image, or None, which is reported."""
    try:
        return to_gray(read_image(path))
    except DataError as error:
        problems.add(error)
        return None


@dataclass(frozen=True)
class Summary:
    """What a detector made of images.

    Parameters
    ----------
    images, faces : int
        How many there were.
    missed : int
        Faces that it did not find.
    others : int
        Detections that belong to no annotated face.
    alarmed : int
        Images with at least one of those.
    alarmed_low, alarmed_high : float
        95 % interval of their share of the images.
    ms_mean, ms_median : float
        Milliseconds per image.
    rate : float
        Frame rate over that of the first detector: the median over the images.
    """

    images: int
    faces: int
    missed: int
    others: int
    alarmed: int
    alarmed_low: float
    alarmed_high: float
    ms_mean: float
    ms_median: float
    rate: float


def summarise(runs: Sequence[ImageRun], name: str, first: str) -> Summary:
    """Figures of the detector `name`, its time compared with that of `first`."""
    faces = [face for run in runs for face in run.faces]
    alarmed = sum(bool(run.others[name]) for run in runs)
    _, low, high = wilson_interval(alarmed, len(runs))
    times, firsts = (
        np.array([run.seconds[each] for run in runs] or [math.nan]) for each in (name, first)
    )
    return Summary(
        len(runs),
        len(faces),
        missed(faces, name),
        sum(len(run.others[name]) for run in runs),
        alarmed,
        low,
        high,
        1000 * float(times.mean()),
        1000 * float(np.median(times)),
        float(np.median(firsts / times)),
    )


def missed(faces: Sequence[DetectedFace], name: str) -> int:
    """How many faces a detector did not find."""
    return sum(name not in face.scores for face in faces)


def wilson_interval(count: int, number: int) -> Figure:
    """The share `count` / `number` with its interval.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927: it also
    holds for shares near 0 and 1.

    Examples
    --------
    >>> share, low, high = wilson_interval(3, 367)
    >>> print(f"{100 * share:.2f} [{100 * low:.2f}, {100 * high:.2f}]")
    0.82 [0.28, 2.38]
    """
    from scipy.stats import binomtest

    if not number:
        return Figure(math.nan)
    low, high = binomtest(count, number).proportion_ci(CONFIDENCE, "wilson")
    return Figure(count / number, float(low), float(high))


PARTS: dict[str, tuple[Callable[[Traits], float], tuple[float, ...]]] = {
    "|yaw|": (lambda face: abs(face.yaw), (0, 15, 30, 45, 60, math.inf)),
    "one half hidden": (lambda face: 0.0 if face.half else math.nan, (0, math.inf)),
    "|roll|": (lambda face: abs(face.roll), (0, 15, 30, 45, math.inf)),
    "size": (lambda face: face.size, (0, 20, 40, 80, 120, 200, math.inf)),
    "mean gray": (lambda face: face.brightness, (0, 40, 70, 110, math.inf)),
}
"""Quantities by which recall is told, NaN for a face in no class, and the limits of their classes:
each reaches from one limit to below the next."""


class FaceClass(NamedTuple):
    """Faces for which a quantity lies in [low, high)."""

    label: str
    low: float
    high: float
    faces: list[DetectedFace]

    @property
    def name(self) -> str:
        if not self.low and math.isinf(self.high):
            return self.label
        return f"{self.label} {span(self.low, self.high)}"


def face_classes(faces: Sequence[DetectedFace]) -> Iterator[FaceClass]:
    """The classes of the faces, without those that are empty."""
    for label, (quantity, limits) in PARTS.items():
        for low, high in itertools.pairwise(limits):
            inside = [face for face in faces if low <= quantity(face.traits) < high]
            if inside:
                yield FaceClass(label, low, high, inside)


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
        faces = [face for run in some for face in run.faces]
        counts = [missed(faces, name) for name in names]
        cells = (f"{count} ({share(count, len(faces), 2)})" for count in counts)
        rows.append((source, str(len(some)), str(len(faces)), *cells))
    header = ("source", "images", "faces", *names)
    return Table("Faces missed", header, rows, "Number, and per cent.")


def recall_table(runs: Sequence[ImageRun], names: Sequence[str]) -> Table:
    """Faces that each detector found, over all and by classes."""
    faces = [face for run in runs for face in run.faces]
    rows = []
    for each in (FaceClass("all", 0, math.inf, faces), *face_classes(faces)):
        total = len(each.faces)
        cells = (share(total - missed(each.faces, name), total) for name in names)
        rows.append((each.name, str(total), *cells))
    note = (
        "Yaw and roll in degrees; size: width of the box in pixels; mean gray: in that box, 0 to "
        "255. Faces half hidden by the head are in no class of yaw."
    )
    return Table("Faces found, in per cent", ("faces", "number", *names), rows, note)


def time_table(runs: Sequence[ImageRun], names: Sequence[str]) -> Table:
    """Other detections and time of each detector."""
    summaries = {name: summarise(runs, name, names[0]) for name in names}
    rows = [(name, str(each.others), *_times(each)) for name, each in summaries.items()]
    header = ("detector", "others", *_TIME_HEADER)
    title = f"Other detections and time, {len(runs)} images"
    return Table(title, header, rows, f"{OTHERS}\n{TIMES}")


def alarm_table(runs: Sequence[ImageRun], names: Sequence[str]) -> Table:
    """False alarms and time of each detector on images without a face."""
    rows = []
    for name in names:
        each = summarise(runs, name, names[0])
        alarmed = percent(wilson_interval(each.alarmed, each.images))
        rows.append((name, str(each.alarmed), alarmed, str(each.others), *_times(each)))
    header = ("images with a false alarm", "per cent [95 %]", "false alarms", *_TIME_HEADER)
    return Table(f"{len(runs)} images without a face", ("detector", *header), rows, TIMES)


_TIME_HEADER = ("ms, median", "ms, mean", "frame rate")


def _times(each: Summary) -> tuple[str, str, str]:
    return number(each.ms_median, 1), number(each.ms_mean, 1), number(each.rate)


def figures(runs: Sequence[ImageRun], names: Sequence[str]) -> dict[str, Any]:
    """All figures of runs: by detector, by classes of faces, and what was missed where.

    What cannot be computed is None, since JSON has no NaN.
    """
    faces = [face for run in runs for face in run.faces]
    found = {
        name: [score for face in faces if math.isfinite(score := face.scores.get(name, math.nan))]
        for name in names
    }
    return {
        "detectors": {name: for_json(summarise(runs, name, names[0])) for name in names},
        "classes": [
            {
                "quantity": each.label,
                "low": each.low,
                "high": for_json(each.high),
                "faces": len(each.faces),
                "missed": {name: missed(each.faces, name) for name in names},
            }
            for each in face_classes(faces)
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
            name: [[run.name, *for_json(run.others[name], 4)] for run in runs if run.others[name]]
            for name in names
        },
        "found_scores": {name: sorted(for_json(found[name], 4)) for name in names},
    }

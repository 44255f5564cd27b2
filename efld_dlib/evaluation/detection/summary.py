"""What was measured of detectors, in figures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from ..bootstrap import CONFIDENCE, Figure
from .measure import DetectedFace, ImageRun, Traits


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
    share = wilson_interval(alarmed, len(runs))
    times = np.array([run.seconds[name] for run in runs])
    firsts = np.array([run.seconds[first] for run in runs])
    return Summary(
        len(runs),
        len(faces),
        missed(faces, name),
        sum(len(run.others[name]) for run in runs),
        alarmed,
        share.low,
        share.high,
        1000 * float(times.mean()) if len(runs) else math.nan,
        1000 * float(np.median(times)) if len(runs) else math.nan,
        float(np.median(firsts / times)) if len(runs) else math.nan,
    )


def missed(faces: Sequence[DetectedFace], name: str) -> int:
    """How many faces a detector did not find."""
    return sum(name not in face.scores for face in faces)


def wilson_interval(count: int, number: int, confidence: float = CONFIDENCE) -> Figure:
    """The share `count` / `number` with its interval.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927: it also
    holds for shares near 0 and 1.

    Examples
    --------
    >>> share, low, high = wilson_interval(3, 367)
    >>> print(f"{100 * share:.2f} [{100 * low:.2f}, {100 * high:.2f}]")
    0.82 [0.28, 2.38]
    """
    if not number:
        return Figure(math.nan)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = count / number
    weight = 1 + z**2 / number
    middle = (share + z**2 / (2 * number)) / weight
    reach = z / weight * math.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    return Figure(share, max(0.0, middle - reach), min(1.0, middle + reach))


class Part(NamedTuple):
    """A quantity by which recall is told, and the limits of its classes.

    Parameters
    ----------
    label : str
    quantity : callable
        From a face's traits; NaN puts it into no class.
    limits : tuple of float
        Each class reaches from one limit to below the next.
    """

    label: str
    quantity: Callable[[Traits], float]
    limits: tuple[float, ...]


SIZES = Part("size", lambda face: face.size, (0, 20, 40, 80, 120, 200, math.inf))

PARTS = (
    Part("|yaw|", lambda face: abs(face.yaw), (0, 15, 30, 45, 60, math.inf)),
    Part("one half hidden", lambda face: 0.0 if face.half else math.nan, (0, math.inf)),
    Part("|roll|", lambda face: abs(face.roll), (0, 15, 30, 45, math.inf)),
    SIZES,
    Part("mean gray", lambda face: face.brightness, (0, 40, 70, 110, math.inf)),
)


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
        reach = f"{self.low:g} and more" if math.isinf(self.high) else f"{self.low:g}-{self.high:g}"
        return f"{self.label} {reach}"


def face_classes(
    faces: Sequence[DetectedFace], parts: Sequence[Part] = PARTS
) -> Iterator[FaceClass]:
    """The classes of the faces, without those that are empty."""
    for part in parts:
        values = [part.quantity(face.traits) for face in faces]
        for low, high in itertools.pairwise(part.limits):
            inside = [
                face for face, value in zip(faces, values, strict=True) if low <= value < high
            ]
            if inside:
                yield FaceClass(part.label, low, high, inside)

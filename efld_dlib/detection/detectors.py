"""Face detectors, and the boxes that they give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol

from ..annotation import Box
from ..backend import load_dlib
from ..errors import OptionError
from ..images import Image
from .scales import Scales
from .smallest import SMALLEST_FACE, MinFace

Upsample = Literal["auto"] | int

MAX_AUTO_UPSAMPLE_PIXELS = 2_000_000
"""Larger pictures are not doubled by ``upsample="auto"``: it takes seconds, and their faces are
seldom too small."""

MAX_UPSAMPLE = 4


class Detection(NamedTuple):
    """A face that a detector found.

    Parameters
    ----------
    box : Box
        Of the face turned upright about the box's centre.
    score : float
        Higher is surer, and above 0 is the detector's own threshold.
    roll : float
        By how many degrees the face is turned clockwise in the picture.
    yaw : float
        Degrees, with the signs of `efld_dlib.pose`; NaN = the detector does not tell.
    """

    box: Box
    score: float
    roll: float = 0.0
    yaw: float = math.nan


class Detector(Protocol):
    """What finds faces in a gray picture; the surest comes first."""

    def __call__(self, gray: Image) -> list[Detection]: ...


@dataclass(frozen=True)
class FrontalDetector:
    """dlib's frontal face detector (HOG and SVM).

    Parameters
    ----------
    upsample : int or "auto"
        How often the picture is doubled beforehand: the detector sees faces of 80 pixels and more,
        and each doubling halves that. "auto" doubles once, and only where nothing was found and
        the picture has at most `MAX_AUTO_UPSAMPLE_PIXELS`.
    threshold : float
        Lowest score that counts. Below 0 finds more faces, and more that are none.
    min_face : float or str, optional
        Width of the smallest face that is wanted, as in `smallest.MinFace.parse`: the picture is
        reduced or enlarged until that face has `SMALLEST_FACE` pixels. Not beside `upsample`.

    Raises
    ------
    OptionError
        The upsampling or the smallest face is out of range, or both are given.
    """

    upsample: Upsample = "auto"
    threshold: float = 0.0
    min_face: float | str | None = None

    def __post_init__(self) -> None:
        require_upsample(self.upsample)
        require_one_size(self.upsample, self.min_face)

    def __call__(self, gray: Image) -> list[Detection]:
        wanted = require_one_size(self.upsample, self.min_face)
        if wanted is not None:
            return self._run_scaled(gray, SMALLEST_FACE / wanted.pixels(gray.shape))
        if self.upsample != "auto":
            return self._run(gray, self.upsample)
        found = self._run(gray, 0)
        if found or gray.size > MAX_AUTO_UPSAMPLE_PIXELS:
            return found
        return self._run(gray, 1)

    def _run_scaled(self, gray: Image, scale: float) -> list[Detection]:
        image, step_x, step_y = Scales(gray).reduced(scale)
        return [
            found._replace(
                box=Box(
                    found.box.left * step_x,
                    found.box.top * step_y,
                    found.box.width * step_x,
                    found.box.height * step_y,
                )
            )
            for found in self._run(image, 0)
        ]

    def _run(self, gray: Image, upsample: int) -> list[Detection]:
        boxes, scores, _ = _frontal_detector().run(gray, upsample, self.threshold)
        found = [
            Detection(Box(box.left(), box.top(), box.width(), box.height()), float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda detection: -detection.score)


def require_upsample(upsample: Upsample) -> None:
    """Refuse, with an `OptionError`, what is neither "auto" nor a small whole number."""
    whole = isinstance(upsample, int) and not isinstance(upsample, bool)
    if upsample != "auto" and not (whole and 0 <= upsample <= MAX_UPSAMPLE):
        raise OptionError(
            f"upsample must be 'auto' or between 0 and {MAX_UPSAMPLE}, not {upsample!r}"
        )


def require_one_size(upsample: Upsample, min_face: float | str | None) -> MinFace | None:
    """The smallest face that is wanted, if one is named.

    Raises
    ------
    OptionError
        It is none, or an upsampling is named beside it.
    """
    if min_face is None:
        return None
    if upsample != "auto":
        raise OptionError("upsample and min_face both say how small a face may be: give one")
    return MinFace.parse(min_face)


@lru_cache(maxsize=1)
def _frontal_detector() -> Any:
    """Dlib's detector, made once a process, which takes 60 ms."""
    return load_dlib().get_frontal_face_detector()

"""Face detectors, and the boxes that they give."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from typing import Any, Literal, NamedTuple, Protocol

from ..backend import load_dlib
from ..boxes import Box, to_box
from ..errors import OptionError
from ..images import Image, reduced

Upsample = Literal["auto"] | int

MAX_AUTO_UPSAMPLE_PIXELS = 2_000_000
"""Larger pictures are not doubled by ``upsample="auto"``: it takes seconds, and their faces are
seldom too small."""

MAX_UPSAMPLE = 4

SMALLEST_FACE = 80.0
"""Width in pixels of the smallest face that dlib's frontal detector finds in a picture as it is."""

LEAST_PIXELS = 12.0
"""Smaller faces cannot be asked for: no detector here finds them."""


@dataclass(frozen=True)
class MinFace:
    """Width of the smallest face that is wanted.

    Parameters
    ----------
    amount : float
        In pixels, at least `LEAST_PIXELS`, or per cent of the picture's shorter side, above 0 and
        at most 100.
    percent : bool

    Raises
    ------
    OptionError
        The amount is out of range.
    """

    amount: float
    percent: bool = False

    def __post_init__(self) -> None:
        if self.percent and not 0 < self.amount <= 100:
            raise OptionError(
                "the smallest face must be above 0% and at most 100% of the picture's shorter "
                f"side, not {self.amount:g}%"
            )
        if not self.percent and not LEAST_PIXELS <= self.amount < math.inf:
            raise OptionError(
                f"the smallest face must be at least {LEAST_PIXELS:g} pixels wide, "
                f"not {self.amount:g}"
            )

    @classmethod
    def parse(cls, value: float | str) -> MinFace:
        """From pixels as a number or as text, or from per cent as text: ``120`` or ``"10%"``.

        Raises
        ------
        OptionError
            It is neither, or out of range.

        Examples
        --------
        >>> MinFace.parse(120)
        MinFace(amount=120.0, percent=False)
        >>> MinFace.parse("10%").pixels((480, 640))
        48.0
        """
        text = str(value).strip()
        try:
            amount = float(text.removesuffix("%"))
        except ValueError:
            amount = math.nan
        if math.isnan(amount) or isinstance(value, bool):
            raise OptionError(
                f"the smallest face must be a number of pixels, or per cent as '10%', not {value!r}"
            )
        return cls(amount, text.endswith("%"))

    def pixels(self, shape: tuple[int, ...]) -> float:
        """The width in pixels in a picture of that shape, (height, width)."""
        if not self.percent:
            return self.amount
        return max(LEAST_PIXELS, self.amount / 100 * min(shape[:2]))


class Detection(NamedTuple):
    """A face that a detector found.

    Parameters
    ----------
    box : Box
        Of the face turned upright about the box's centre.
    score : float
        Higher is surer. Between 0 and 1 for the toolkit's own detector and YuNet; dlib's frontal
        detector and its network have a scale of their own, on which 0 is their threshold.
    roll : float
        By how many degrees the face is turned clockwise in the image.
    """

    box: Box
    score: float
    roll: float = 0.0


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
        Width of the smallest face that is wanted, as in `MinFace.parse`: the picture is
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
        whole = isinstance(self.upsample, int) and not isinstance(self.upsample, bool)
        if self.upsample != "auto" and not (whole and 0 <= self.upsample <= MAX_UPSAMPLE):
            raise OptionError(
                f"upsample must be 'auto' or between 0 and {MAX_UPSAMPLE}, not {self.upsample!r}"
            )
        if self.min_face is not None:
            MinFace.parse(self.min_face)
            if self.upsample != "auto":
                raise OptionError(
                    "upsample and min_face both say how small a face may be: give one"
                )

    def __call__(self, gray: Image) -> list[Detection]:
        if self.min_face is not None:
            wanted = MinFace.parse(self.min_face).pixels(gray.shape)
            ((image, (across, down)),) = reduced(gray, [SMALLEST_FACE / wanted])
            steps = (across, down, across, down)
            found = self._run(image, 0)
            return [each._replace(box=Box(*map(mul, each.box, steps))) for each in found]
        if self.upsample != "auto":
            return self._run(gray, self.upsample)
        found = self._run(gray, 0)
        if found or gray.size > MAX_AUTO_UPSAMPLE_PIXELS:
            return found
        return self._run(gray, 1)

    def _run(self, gray: Image, upsample: int) -> list[Detection]:
        boxes, scores, _ = _frontal_detector().run(gray, upsample, self.threshold)
        return surest_first(map(Detection, map(to_box, boxes), map(float, scores)))


def surest_first(found: Iterable[Detection]) -> list[Detection]:
    """Detections sorted by their scores."""
    return sorted(found, key=lambda detection: -detection.score)


@lru_cache(maxsize=1)
def _frontal_detector() -> Any:
    """Dlib's detector, made once a process, which takes 60 ms."""
    return load_dlib().get_frontal_face_detector()

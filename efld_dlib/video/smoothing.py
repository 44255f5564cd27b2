"""Steady landmarks for display: the One-Euro filter (Casiez, Roussel and Vogel, CHI 2012).

A low-pass filter whose cutoff rises with the speed: at rest it takes out the noise, in motion it
follows closely. Speeds are in widths of the face's box, so a face may be near or far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..boxes import Box, FloatArray
from ..errors import OptionError
from ..face import TrackedFace
from ..pose import scheme_pose

MAX_GAP = 0.5
"""Seconds after which a face that comes back is not drawn towards where it was."""


@dataclass(frozen=True)
class Smoothing:
    """How much is smoothed.

    The defaults are chosen on clips made of HELEN's training faces (`benchmarks.clips`): the
    jitter of a face at rest becomes 0.4 of what it was, and one that moves by two of its widths a
    second is drawn 0.1 frames late (``python -m tools.benchmarks video``).

    Parameters
    ----------
    min_cutoff : float
        Cutoff at rest in Hz: lower is steadier.
    beta : float
        By how many Hz the cutoff rises with each width of the face a second: higher lags less.
    speed_cutoff : float
        Cutoff in Hz of the filter on the speed itself.

    Raises
    ------
    OptionError
        A cutoff is not above 0, or `beta` is negative.
    """

    min_cutoff: float = 0.6
    beta: float = 30.0
    speed_cutoff: float = 1.0

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.speed_cutoff > 0 and self.beta >= 0):
            raise OptionError(f"{self}: the cutoffs must be above 0, and beta not below")


class OneEuroFilter:
    """The filter for points that move together.

    Parameters
    ----------
    smoothing : Smoothing

    Attributes
    ----------
    time : float
        Seconds, of the last points; NaN before the first ones.

    Examples
    --------
    A point that jumps by a pixel and back is hardly moved; one that goes on moving is followed.

    >>> import numpy as np
    >>> steady = OneEuroFilter(Smoothing())
    >>> places = [0.0, 1.0, 0.0, 60.0, 120.0, 180.0]
    >>> moved = [steady(n / 30, np.array([[x, 0.0]]), unit=100.0) for n, x in enumerate(places)]
    >>> [round(float(points[0, 0]), 1) for points in moved]
    [0.0, 0.3, 0.3, 57.1, 118.3, 178.8]
    """

    def __init__(self, smoothing: Smoothing) -> None:
        self.smoothing = smoothing
        self.time = math.nan
        self._raw = self._value = self._speed = np.empty(0)

    def __call__(self, time: float, points: FloatArray, unit: float) -> FloatArray:
        """The smoothed points.

        Parameters
        ----------
        time : float
            Seconds; at a time that is not later than the last one nothing changes.
        points : array, shape (n, 2)
        unit : float
            What speeds are measured in, in the unit of `points`.

        Returns
        -------
        array, shape (n, 2)
        """
        step = time - self.time
        if math.isnan(step):
            self.time, self._raw, self._value = time, points, points
            self._speed = np.zeros_like(points)
        elif step > 0:
            velocity = (points - self._raw) / (step * unit)
            share = _share(self.smoothing.speed_cutoff, step)
            self._speed = self._speed + share * (velocity - self._speed)
            # One cutoff a point, not one a coordinate: turning the picture changes nothing.
            speed = np.linalg.norm(self._speed, axis=1, keepdims=True)
            shares = _share(self.smoothing.min_cutoff + self.smoothing.beta * speed, step)
            self._value = self._value + shares * (points - self._value)
            self.time, self._raw = time, points
        return self._value


def _share(cutoff: float | FloatArray, step: float) -> FloatArray:
    """Weight of the new value in a low-pass filter, `cutoff` in Hz and `step` in seconds."""
    turns = 2 * np.pi * np.asarray(cutoff) * step
    share: FloatArray = turns / (1 + turns)
    return share


@dataclass
class FaceSmoother:
    """Smooths the faces of a video, each by its id.

    Parameters
    ----------
    smoothing : Smoothing
    """

    smoothing: Smoothing = field(default_factory=Smoothing)
    _filters: dict[int, OneEuroFilter] = field(default_factory=dict)

    def __call__(self, time: float, faces: Sequence[TrackedFace]) -> list[TrackedFace]:
        """The faces of the frame at `time` seconds with points, box and pose that move steadily."""
        self._filters = {
            number: kept for number, kept in self._filters.items() if time - kept.time <= MAX_GAP
        }
        return [self._smooth(time, face) for face in faces]

    def _smooth(self, time: float, face: TrackedFace) -> TrackedFace:
        smoother = self._filters.setdefault(face.id, OneEuroFilter(self.smoothing))
        box = face.box
        corners = np.array([[box.left, box.top], [box.left + box.width, box.top + box.height]])
        moved = smoother(time, np.vstack([face.points, corners]), box.width)
        points, (first, last) = moved[:-2], moved[-2:]
        steady = Box(*map(float, (*first, *(last - first))))
        return replace(face, points=points, box=steady, pose=scheme_pose(points, face.scheme))

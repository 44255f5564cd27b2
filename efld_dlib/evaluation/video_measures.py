"""Measures of landmarks over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..boxes import Box, FloatArray, annotated
from ..detection.framing import MIN_OVERLAP
from .metrics import mean_given

_STEP = 0.05
_LARGEST = 5.0


def nearest_face(faces: Sequence[FloatArray], truth: FloatArray) -> FloatArray:
    """Of the landmarks of several faces those of the true one, shape (68, 2); NaN = not found."""
    wanted = Box.around(truth)
    overlaps = [wanted.overlap(Box.around(points)) for points in faces]
    if not overlaps or max(overlaps) < MIN_OVERLAP:
        return np.full_like(truth, np.nan)
    return faces[int(np.argmax(overlaps))]


def jitter(points: FloatArray) -> float:
    """How far landmarks that should stand still stray from their mean place.

    Parameters
    ----------
    points : array, shape (frames, n, 2)
        Pixels; NaN = not found.

    Returns
    -------
    float
        Root mean square distance over frames and landmarks, in pixels; NaN where nothing is found.

    Examples
    --------
    A landmark that hops two pixels to and fro is always one away from its mean place:

    >>> jitter(np.array([[[10.0, 5.0]], [[12.0, 5.0]], [[10.0, 5.0]], [[12.0, 5.0]]]))
    1.0
    """
    center = mean_given(points, axis=0)
    squares = mean_given(((points - center) ** 2).sum(axis=2).ravel())
    return float(np.sqrt(squares))


def lag(path: FloatArray, truth: FloatArray) -> float:
    """By how many frames a path is late: the delay of the truth that fits it best.

    Parameters
    ----------
    path, truth : array, shape (frames, 2)
        Pixels; NaN in `path` = not found. The truth must move.

    Returns
    -------
    float
        To a twentieth of a frame, at most 5; negative = early. NaN where too little is found.

    Examples
    --------
    >>> angle = np.linspace(0, 6, 60)
    >>> truth = 100 * np.column_stack([np.cos(angle), np.sin(angle)])
    >>> round(lag(np.roll(truth, 2, axis=0), truth), 2)
    2.0
    """
    times = np.arange(len(truth), dtype=np.float64)
    margin = int(_LARGEST)
    given = annotated(path)
    # Where the delayed truth reaches over the clip's ends nothing is known.
    given[:margin] = given[len(given) - margin :] = False
    if given.sum() < margin:
        return float("nan")
    delays = np.arange(-_LARGEST, _LARGEST + _STEP / 2, _STEP)
    errors = [
        sum(
            np.square(np.interp(times - delay, times, truth[:, axis]) - path[:, axis])[given].sum()
            for axis in (0, 1)
        )
        for delay in delays
    ]
    return float(delays[int(np.argmin(errors))])

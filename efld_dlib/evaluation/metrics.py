"""The field's error measures, as functions of predicted and true landmarks.

Normalised mean error (NME): the mean distance of a face's predicted landmarks from the true ones,
divided by the distance of the outer eye corners (landmarks 36 and 45), as in the 300-W challenge
(Sagonas et al., IMAVIS 2016). All errors here are fractions; times 100 they are per cent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from ..boxes import FloatArray, annotated
from ..errors import OptionError
from ..geometry import eye_distance
from ..landmarks import GROUPS_68

EYES = ("left_eye", "right_eye")

FAILURE_THRESHOLD = 0.08
"""NME above which a face counts as failed, and up to which the CED's area is taken."""

THRESHOLDS = (0.07, FAILURE_THRESHOLD, 0.10)
"""Those that are in use; an area or a failure rate says nothing without its own."""

REGIONS: dict[str, tuple[int, ...]] = {
    "jaw": GROUPS_68["jaw"],
    "brows": GROUPS_68["left_brow"] + GROUPS_68["right_brow"],
    "nose": GROUPS_68["nose"],
    "eyes": GROUPS_68["left_eye"] + GROUPS_68["right_eye"],
    "mouth": GROUPS_68["mouth"],
}
"""Parts of the face that are reported on."""


def point_errors(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    """Distance of each predicted landmark from the true one.

    Parameters
    ----------
    predicted, truth : array, shape (..., n, 2)
        Pixels of one picture; NaN where a landmark is not annotated.

    Returns
    -------
    array, shape (..., n)
        Pixels; NaN where either is NaN.

    Examples
    --------
    >>> point_errors(np.array([[3.0, 4.0], [7.0, 1.0]]), np.array([[0.0, 0.0], [np.nan] * 2]))
    array([ 5., nan])
    """
    return cast(FloatArray, np.linalg.norm(predicted - truth, axis=-1))


def mean_given(values: FloatArray, axis: int = -1) -> FloatArray:
    """Mean along an axis of what is finite; NaN where nothing is.

    Examples
    --------
    >>> mean_given(np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.inf]]))
    array([ 2., nan])
    """
    given = np.isfinite(values)
    count = given.sum(axis=axis)
    mean: FloatArray = np.full(count.shape, np.nan)
    np.divide(np.where(given, values, 0.0).sum(axis=axis), count, out=mean, where=count > 0)
    return mean


def pupil_distance(points: FloatArray) -> FloatArray:
    """Distance of the eyes' centres (means of their six landmarks) in pixels, shape (...)."""
    left, right = (points[..., list(GROUPS_68[eye]), :].mean(axis=-2) for eye in EYES)
    return cast(FloatArray, np.linalg.norm(left - right, axis=-1))


def box_size(points: FloatArray) -> FloatArray:
    """Square root of width times height of the landmarks' tight box in pixels, shape (...).

    NaN landmarks are left out, so it serves profiles, of which only one eye is to be seen.

    Examples
    --------
    >>> float(box_size(np.array([[0.0, 0.0], [4.0, 9.0], [np.nan, np.nan]])))
    6.0
    """
    given = annotated(points)[..., None]
    extent = np.where(given, points, -np.inf).max(axis=-2) - np.where(given, points, np.inf).min(
        axis=-2
    )
    return cast(FloatArray, np.sqrt(np.clip(extent, 0, None).prod(axis=-1)))


NORMALISERS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "inter-ocular": eye_distance,
    "inter-pupil": pupil_distance,
    "box": box_size,
}
"""What an error may be divided by; the 300-W challenge's own is "inter-ocular"."""


def normalisers(truth: FloatArray, by: str) -> FloatArray:
    """What to divide the errors of true landmarks, shape (..., 68, 2), by, in pixels, shape (...).

    NaN where the landmarks do not give it, or give zero.
    """
    distance = NORMALISERS[by](truth)
    return np.where(distance > 0, distance, np.nan)


def normalised_mean_errors(
    predicted: FloatArray,
    truth: FloatArray,
    by: str = "inter-ocular",
    landmarks: Sequence[int] | None = None,
) -> FloatArray:
    """NME of each face.

    Parameters
    ----------
    predicted, truth : array, shape (faces, 68, 2)
        Pixels. Landmarks that are NaN in `truth` are left out of a face's mean.
    by : str
        A key of `NORMALISERS`, measured on `truth`.
    landmarks : sequence of int, optional
        The landmarks to take the mean over, such as a value of `REGIONS`; by default all.

    Returns
    -------
    array, shape (faces,)
        Fractions of the normaliser; NaN for a face whose truth does not give it, gives zero, or
        has no landmark at all.

    Examples
    --------
    All landmarks are predicted two pixels too far to the right, and the outer eye corners lie 100
    pixels apart:

    >>> truth = np.zeros((1, 68, 2))
    >>> truth[0, 45, 0] = 100.0
    >>> normalised_mean_errors(truth + [2.0, 0.0], truth).tolist()
    [0.02]
    """
    errors = point_errors(predicted, truth)
    if landmarks is not None:
        errors = errors[..., list(landmarks)]
    return mean_given(errors) / normalisers(truth, by)


def area_under_curve(errors: FloatArray, threshold: float = FAILURE_THRESHOLD) -> float:
    """Area under the CED from 0 to `threshold`, divided by `threshold`; 1 is perfect.

    The curve is a staircase, so its area is exact: each face adds what is left of the threshold
    above its error.

    Parameters
    ----------
    errors : array, shape (faces,)
        Infinite for a missed face. NaN ones have to be left out before.
    threshold : float

    Raises
    ------
    OptionError
        The threshold is not above 0.

    Examples
    --------
    A face without error, one half way to the threshold, and a missed one:

    >>> area_under_curve(np.array([0.0, 0.04, np.inf]), threshold=0.08)
    0.5
    """
    _check_threshold(threshold)
    if not len(errors):
        return float("nan")
    return float(area_shares(errors, threshold).mean())


def area_shares(errors: FloatArray, threshold: float = FAILURE_THRESHOLD) -> FloatArray:
    """What each face adds to the area, between 0 and 1; NaN where its error is."""
    return np.clip(1 - np.asarray(errors) / threshold, 0, None)


def failure_rate(errors: FloatArray, threshold: float = FAILURE_THRESHOLD) -> float:
    """Fraction of faces with an error above `threshold`; missed faces (infinite) are failures.

    Parameters and errors are those of `area_under_curve`.

    Examples
    --------
    >>> failure_rate(np.array([0.0, 0.04, 0.09, np.inf]), threshold=0.08)
    0.5
    """
    _check_threshold(threshold)
    if not len(errors):
        return float("nan")
    return float((np.asarray(errors) > threshold).mean())


def _check_threshold(threshold: float) -> None:
    if not threshold > 0:
        raise OptionError(f"the error threshold must be above 0, not {threshold}")

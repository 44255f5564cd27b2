"""The field's error measures, as functions of predicted and true landmarks.

Normalised mean error (NME): the mean distance of a face's predicted landmarks from the true ones,
divided by the distance of the outer eye corners (landmarks 36 and 45), as in the 300-W challenge
(Sagonas et al., IMAVIS 2016). All errors here are fractions; times 100 they are per cent.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from ..annotation import FloatArray
from ..errors import OptionError
from ..geometry import eye_distance

FAILURE_THRESHOLD = 0.08
"""NME above which a face counts as failed, and up to which the CED's area is taken."""


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
    """
    return cast(FloatArray, np.linalg.norm(predicted - truth, axis=-1))


def normalised_mean_errors(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    """NME of each face by the distance of its true outer eye corners.

    Parameters
    ----------
    predicted, truth : array, shape (faces, 68, 2)
        Pixels. Landmarks that are NaN in `truth` are left out of a face's mean.

    Returns
    -------
    array, shape (faces,)
        Fractions of the inter-ocular distance; NaN for a face whose truth lacks an eye corner,
        has both in one place, or has no landmark at all.
    """
    errors = point_errors(predicted, truth)
    given = np.isfinite(errors)
    count = given.sum(axis=-1)
    total = np.where(given, errors, 0.0).sum(axis=-1)
    distance = eye_distance(truth)
    usable = (count > 0) & (distance > 0)
    normalised: FloatArray = np.full(total.shape, np.nan)
    np.divide(total, count * distance, out=normalised, where=usable)
    return normalised


def area_under_curve(errors: FloatArray, threshold: float = FAILURE_THRESHOLD) -> float:
    """Area under the CED from 0 to `threshold`, divided by `threshold`; 1 is perfect.

    The curve is a staircase, so its area is exact: each face adds what is left of the threshold
    above its error.
    """
    _check_threshold(threshold)
    if not len(errors):
        return float("nan")
    return float(np.clip(1 - np.asarray(errors) / threshold, 0, None).mean())


def failure_rate(errors: FloatArray, threshold: float = FAILURE_THRESHOLD) -> float:
    """Fraction of faces with an error above `threshold`; missed faces (infinite) are failures."""
    _check_threshold(threshold)
    if not len(errors):
        return float("nan")
    return float((np.asarray(errors) > threshold).mean())


def _check_threshold(threshold: float) -> None:
    if not threshold > 0:
        raise OptionError(f"the error threshold must be above 0, not {threshold}")

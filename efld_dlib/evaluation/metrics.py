"""The field's error measures, as functions of predicted and true landmarks.

Normalised mean error (NME): the mean distance of a face's predicted landmarks from the true ones,
divided by the distance of the outer eye corners (landmarks 36 and 45 of the 68), as in the 300-W
challenge (Sagonas et al., IMAVIS 2016), or by what another scheme names as its normaliser. All
errors here are fractions; times 100 they are per cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import cast

import numpy as np

from ..boxes import FloatArray, annotated
from ..geometry import measured
from ..landmarks import FACE_68, Scheme

FAILURE_THRESHOLD = 0.08
"""NME above which a face counts as failed, and up to which the CED's area is taken."""

THRESHOLDS = (0.07, FAILURE_THRESHOLD, 0.10)
"""Those that are in use; an area or a failure rate says nothing without its own."""


@cache
def regions(scheme: Scheme = FACE_68) -> Mapping[str, tuple[int, ...]]:
    """Parts of the thing that are reported on: its groups, left and right together.

    Examples
    --------
    >>> list(regions())
    ['jaw', 'brows', 'nose', 'eyes', 'mouth']
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, group in scheme.groups.items():
        side, _, part = name.partition("_")
        region = f"{part}s" if part and side in ("left", "right") else name
        found[region] = (*found.get(region, ()), *group)
    return found


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


def box_size(points: FloatArray) -> FloatArray:
    """Square root of width times height of the landmarks' tight box in pixels, shape (...).

    NaN landmarks are left out, so it serves profiles, of which only one eye is to be seen.

    Examples
    --------
    >>> float(box_size(np.array([[0.0, 0.0], [4.0, 9.0], [np.nan, np.nan]])))
    6.0
    """
    given = annotated(points)[..., None]
    low = np.min(points, axis=-2, initial=np.inf, where=given)
    high = np.max(points, axis=-2, initial=-np.inf, where=given)
    return cast(FloatArray, np.sqrt(np.clip(high - low, 0, None).prod(axis=-1)))


NORMALISERS = ("inter-ocular", "inter-pupil", "box")
"""What an error may be divided by: the distance of the outer eye corners, which is the 300-W
challenge's own, or another scheme's normaliser; that of the middles of the eyes; or `box_size`."""


def normalisers(truth: FloatArray, by: str, scheme: Scheme = FACE_68) -> FloatArray:
    """What to divide the errors of true landmarks, shape (..., n, 2), by, in pixels, shape (...).

    NaN where the landmarks do not give it, or give zero.
    """
    groups, along = scheme.groups, scheme.normaliser
    if by == "inter-pupil":
        eyes = groups.keys() >= {"left_eye", "right_eye"}
        along = (groups["left_eye"], groups["right_eye"]) if eyes else None
    if by == "box":
        distance = box_size(truth)
    elif along is None:
        distance = np.full(truth.shape[:-2], np.nan)
    else:
        distance = measured(truth, "distance", [along])
    return np.where(distance > 0, distance, np.nan)


def usual_normaliser(scheme: Scheme) -> str:
    """The normaliser to use where none is asked for: the scheme's, or the box if it has none."""
    return "box" if scheme.normaliser is None else "inter-ocular"


def normaliser_title(by: str, scheme: Scheme = FACE_68) -> str:
    """What to call a normaliser in a table.

    Examples
    --------
    >>> normaliser_title("inter-ocular", Scheme("leaf", ("base", "tip"), normaliser=((0,), (1,))))
    'base to tip'
    """
    if by != "inter-ocular" or scheme.face or scheme.normaliser is None:
        return by
    return " to ".join("+".join(scheme.labels[i] for i in end) for end in scheme.normaliser)


def normalised_mean_errors(
    predicted: FloatArray,
    truth: FloatArray,
    by: str = "inter-ocular",
    landmarks: Sequence[int] | None = None,
    scheme: Scheme = FACE_68,
) -> FloatArray:
    """NME of each face.

    Parameters
    ----------
    predicted, truth : array, shape (faces, n, 2)
        Pixels. Landmarks that are NaN in either are left out of a face's mean.
    by : str
        One of `NORMALISERS`, measured on `truth`.
    landmarks : sequence of int, optional
        The landmarks to take the mean over, such as a value of `regions`; by default all.
    scheme : Scheme
        What the landmarks are.

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
    return mean_given(errors) / normalisers(truth, by, scheme)


def area_shares(errors: FloatArray, threshold: float = FAILURE_THRESHOLD) -> FloatArray:
    """What each face adds to the area under the CED from 0 to `threshold`, divided by `threshold`.

    The curve is a staircase, so its area is exact: each face adds what is left of the threshold
    above its error. The faces' mean is the area; 1 is perfect.

    Parameters
    ----------
    errors : array, shape (faces,)
        Infinite for a missed face.
    threshold : float
        Above 0.

    Returns
    -------
    array, shape (faces,)
        Between 0 and 1; NaN where the error is.

    Examples
    --------
    A face without error, one half way to the threshold, and a missed one:

    >>> area_shares(np.array([0.0, 0.04, np.inf]), threshold=0.08).tolist()
    [1.0, 0.5, 0.0]
    """
    return np.clip(1 - errors / threshold, 0, None)


def failures(errors: FloatArray, threshold: float = FAILURE_THRESHOLD) -> FloatArray:
    """1 for each face with an error above `threshold`, else 0; the mean is the failure rate.

    Parameters and errors are those of `area_shares`.

    Examples
    --------
    >>> failures(np.array([0.0, 0.04, 0.09, np.inf, np.nan]), threshold=0.08).tolist()
    [0.0, 0.0, 1.0, 1.0, nan]
    """
    return np.where(np.isnan(errors), np.nan, errors > threshold)

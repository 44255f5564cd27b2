"""How sure a figure is: bootstrap intervals, with the faces drawn anew.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..boxes import FloatArray
from ..errors import OptionError
from ..tables import number

RESAMPLES = 2000
CONFIDENCE = 0.95
"""Share of the sets' figures between the two ends of an interval."""

_CHUNK = 2_000_000


class Figure(NamedTuple):
    """A measured value and the ends of its interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


def with_interval(figure: Figure, digits: int = 2, factor: float = 1.0) -> str:
    """A figure with its interval; without one, the value alone.

    Examples
    --------
    >>> with_interval(Figure(0.0403, 0.0385, 0.0422), factor=100)
    '4.03 [3.85, 4.22]'
    >>> with_interval(Figure(4.03))
    '4.03'
    """
    value, *ends = (number(factor * each, digits) for each in figure)
    return f"{value} [{', '.join(ends)}]" if math.isfinite(figure.low) else value


def percent(figure: Figure, interval: bool = True, digits: int = 2) -> str:
    """A fraction in per cent."""
    return with_interval(figure if interval else Figure(figure.value), digits, 100)


class Bootstrap:
    """The same sets of faces, drawn with replacement, for every figure of an evaluation.

    Parameters
    ----------
    faces : int
        Number of faces.
    resamples : int
        Number of sets; 0 leaves the intervals out.
    seed : int
        The same seed gives the same intervals.

    Raises
    ------
    OptionError
        The number of sets is below 0.

    Examples
    --------
    >>> errors = np.linspace(0.01, 0.09, 200)
    >>> value, low, high = Bootstrap(len(errors)).mean(errors)
    >>> print(f"{value:.3f} [{low:.3f}, {high:.3f}]")
    0.050 [0.047, 0.053]
    """

    def __init__(self, faces: int, resamples: int = RESAMPLES, seed: int = 0) -> None:
        if resamples < 0:
            raise OptionError(f"the number of resamples must be 0 or more, not {resamples}")
        rng = np.random.default_rng(seed)
        # How often each face is in each set, shape (resamples, faces). Drawn some rows at a time,
        # since the generator's own whole numbers are eight bytes each.
        rows = max(1, _CHUNK // max(faces, 1))
        self._counts = np.empty((resamples, faces), np.float32)
        for start in range(0, resamples if faces else 0, rows):
            part = self._counts[start : start + rows]
            part[:] = rng.multinomial(faces, np.full(faces, 1 / faces), size=len(part))

    def mean(self, values: FloatArray) -> Figure:
        """Mean of the faces' values, shape (faces,); NaN and infinite ones are left out."""
        given = np.isfinite(values)
        if not given.any():
            return Figure(math.nan)
        value = float(values[given].mean())
        counts = self._counts[:, given]
        number = counts.sum(axis=1)
        # About the mean, so that single precision is enough.
        total = counts @ (values[given] - value).astype(np.float32)
        drawn = number > 0
        return self._figure(value, value + total[drawn] / number[drawn], int(given.sum()))

    def quantile(self, values: FloatArray, quantile: float) -> Figure:
        """Quantile of the faces' values, shape (faces,); NaN and infinite ones are left out."""
        given = np.isfinite(values)
        if not given.any():
            return Figure(math.nan)
        value = float(np.quantile(values[given], quantile))
        order = np.flatnonzero(given)[np.argsort(values[given])]
        ranks = np.cumsum(self._counts[:, order], axis=1)
        drawn = ranks[:, -1] > 0
        ranks = ranks[drawn]
        first = (ranks >= np.maximum(quantile * ranks[:, -1:], 1)).argmax(axis=1)
        return self._figure(value, values[order][first], len(order))

    def _figure(self, value: float, drawn: FloatArray, faces: int) -> Figure:
        if faces < 2 or not len(drawn):
            return Figure(value)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return Figure(value, float(low), float(high))

"""A shape predictor as arrays, which the file formats read and write."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFormatError

Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.int32]

_BY_CASCADE = ("first", "second", "thresholds", "leaves", "anchors", "deltas")


@dataclass(frozen=True, eq=False)
class Predictor:
    """What dlib's `shape_predictor` consists of (an ensemble of regression trees).

    The shape is corrected in `cascades` rounds. In each, a pool of pixels is looked up around the
    present shape, every tree leads by its splits to one of its leaves, and the leaves are added to
    the shape. A tree is complete and in heap order: the children of split i are 2i + 1 (where
    ``pixel[first] - pixel[second] > threshold``) and 2i + 2; numbers from `splits` on are leaves.

    Parameters
    ----------
    mean_shape : array of float32, shape (points, 2)
        Where the shape starts; the face box is the unit square.
    first, second : array of int32, shape (cascades, trees, splits)
        The two pixels that a split compares, as indices into the cascade's pool.
    thresholds : array of float32, shape (cascades, trees, splits)
        In gray levels.
    leaves : array of float32, shape (cascades, trees, splits + 1, 2 * points)
        Corrections x0, y0, x1, y1, … of the shape, in units of the box.
    anchors : array of int32, shape (cascades, pool)
        The landmark next to each pixel of the pool.
    deltas : array of float32, shape (cascades, pool, 2)
        The pixel's place relative to that landmark, in units of the box.
    """

    mean_shape: Float32Array
    first: IndexArray
    second: IndexArray
    thresholds: Float32Array
    leaves: Float32Array
    anchors: IndexArray
    deltas: Float32Array

    @property
    def points(self) -> int:
        """Number of landmarks."""
        return len(self.mean_shape)

    @property
    def cascades(self) -> int:
        """Number of rounds of correction."""
        return int(self.first.shape[0])

    @property
    def trees(self) -> int:
        """Number of trees in each cascade."""
        return int(self.first.shape[1])

    @property
    def splits(self) -> int:
        """Number of splits in each tree."""
        return int(self.first.shape[2])

    @property
    def depth(self) -> int:
        """Splits on the longest way to a leaf."""
        return self.splits.bit_length()

    @property
    def pool(self) -> int:
        """Number of pixels looked up in each cascade."""
        return int(self.anchors.shape[1])

    def first_cascades(self, count: int) -> Predictor:
        """The predictor that stops after `count` cascades."""
        cut = {name: getattr(self, name)[:count] for name in _BY_CASCADE}
        return replace(self, **cut)

    def whole_thresholds(self) -> Float32Array:
        """The thresholds rounded down, which decides alike: gray levels are whole numbers.

        Their differences go from -255 to 255, so what lies further out decides as -256 or 255.
        """
        return np.clip(np.floor(self.thresholds), -256, 255)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictor):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]


def check_predictor(predictor: Predictor, source: object) -> None:
    """Refuse what would make dlib read outside its arrays, or predict what is not a number.

    Raises
    ------
    ModelFormatError
        Names `source` and the first index or number that is wrong.
    """
    _check_finite("the mean shape", predictor.mean_shape, source)
    for cascade in range(predictor.cascades):
        place = f"of cascade {cascade}"
        for name in ("first", "second"):
            indices = getattr(predictor, name)[cascade]
            _check_below(f"split pixel {place}", indices, predictor.pool, source)
        anchors = predictor.anchors[cascade]
        _check_below(f"anchor {place}", anchors, predictor.points, source)
        for name in ("thresholds", "leaves", "deltas"):
            _check_finite(f"{name} {place}", getattr(predictor, name)[cascade], source)


def _check_below(name: str, indices: IndexArray, size: int, source: object) -> None:
    for worst in (int(indices.min()), int(indices.max())):
        if not 0 <= worst < size:
            raise ModelFormatError(str(source), f"{name} is {worst}, and there are {size}")


def _check_finite(name: str, values: Float32Array, source: object) -> None:
    # The extremes are NaN where any value is, and need no array of their own.
    if not np.isfinite([values.min(), values.max()]).all():
        raise ModelFormatError(str(source), f"has a number in {name} that is not finite")

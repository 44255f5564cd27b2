"""Shape predictors that predict the landmarks of several crops at once.

`Forest` evaluates what an `.efld` file keeps as it is kept, so that nothing has to be expanded into
dlib's 67 MB; `DlibPredictor` asks a `dlib.shape_predictor`.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..backend import load_dlib
from ..boxes import Box, FloatArray
from .quantised import Quantised

_PLACE = attrgetter("x", "y")

ROUGH_AFTER, ROUGH_SHARE = 2, 0.6
"""Cascades after which rough landmarks are taken in, and their share of the shape then."""

# The splits of a tree are packed into 16 bits, and a table says to which leaf they lead.
_BITS = 16
_NEVER = np.int16(300)


class DlibPredictor:
    """A `dlib.shape_predictor`, asked crop by crop; it answers in whole pixels.

    It always starts from its mean shape and cannot be told rough landmarks.

    Parameters
    ----------
    predictor : dlib.shape_predictor
    """

    def __init__(self, predictor: Any) -> None:
        self.predictor = predictor
        self.points = len(self._parts(np.zeros((8, 8), np.uint8), Box(0, 0, 8, 8)))

    def predict(
        self, crops: NDArray[np.uint8], box: Box, rough: FloatArray | None = None
    ) -> FloatArray:
        """Landmarks of the face that has the same box in each of several crops.

        Parameters
        ----------
        crops : array of uint8, shape (n, height, width)
        box : Box
            Square, in whole pixels of the crops.
        rough : array, shape (n, points, 2), optional
            Where the landmarks lie about, in pixels of the crops. Only a `Forest` makes use of it.

        Returns
        -------
        array, shape (n, points, 2)
            In pixels of the crops.
        """
        return np.stack([self._parts(crop, box) for crop in crops])

    def _parts(self, crop: NDArray[np.uint8], box: Box) -> FloatArray:
        left, top, width, height = (round(value) for value in box)
        rectangle = load_dlib().rectangle(left, top, left + width - 1, top + height - 1)
        parts = self.predictor(np.ascontiguousarray(crop), rectangle).parts()
        # Faster than an array of pairs.
        numbers = np.fromiter(chain.from_iterable(map(_PLACE, parts)), np.float64, 2 * len(parts))
        return cast(FloatArray, numbers.reshape(-1, 2))


class Forest:
    """A quantised predictor, evaluated by numpy.

    It predicts what dlib predicts from the same numbers, but for dlib's rounding to whole pixels
    and for what hangs on the last bit of a float: a pixel that is looked up beside the other one.
    Rough landmarks, where they are given, are averaged with the shape after its first cascades, and
    the later ones correct the mean.

    Parameters
    ----------
    quantised : Quantised
        With at most 15 splits in each tree, see `can_run`.
    """

    def __init__(self, quantised: Quantised) -> None:
        cascades, trees, splits = quantised.first.shape
        self.points = len(quantised.mean_shape)
        # Places are complex numbers here: to turn and to scale is to multiply.
        self._mean = _complex(quantised.mean_shape)
        centred = self._mean - self._mean.mean()
        spread = float((np.abs(centred) ** 2).sum())
        # A single landmark has no turn and no size: dlib leaves its pixels where they are.
        self._fit = np.conj(centred) / spread if spread else None
        self._anchors = quantised.anchors.astype(np.intp)
        self._deltas = _complex(quantised.deltas * 2.0**quantised.delta_exponent)
        self._first = _padded(quantised.first, 0).astype(np.intp)
        self._second = _padded(quantised.second, 0).astype(np.intp)
        self._thresholds = _padded(quantised.thresholds, _NEVER).astype(np.int16)
        self._leaf = _leaf_table(splits)
        self._start = np.arange(trees) * (splits + 1)
        self._basis = quantised.basis.astype(np.float32) * np.float32(2.0**quantised.exponent)
        self._scales = np.ldexp(
            np.float32(1), quantised.classes.reshape(cascades, -1).astype(np.int32)
        )
        self._coefficients = [quantised.leaf_coefficients(each) for each in range(cascades)]

    @staticmethod
    def can_run(quantised: Quantised) -> bool:
        """Whether a predictor's trees are small enough."""
        return int(quantised.first.shape[2]) < _BITS

    def predict(
        self, crops: NDArray[np.uint8], box: Box, rough: FloatArray | None = None
    ) -> FloatArray:
        """As `DlibPredictor.predict`, and not rounded."""
        count, height, width = crops.shape
        # A black border of a pixel stands for all that lies outside. It is square, so that one
        # number says where it ends.
        stride = max(height, width) + 2
        bordered = np.zeros((count, stride, stride), np.int16)
        bordered[:, 1 : height + 1, 1 : width + 1] = crops
        pixels = bordered.ravel()
        starts = np.arange(count)[:, None] * stride**2
        step = np.array([1.0, stride])
        # To the middle of the border's first pixel, and half a pixel more: what is cut off then is
        # what rounding would take away. dlib's unit square ends at the last pixel of the box.
        corner = complex(box.left + 1.5, box.top + 1.5)
        side = box.width - 1
        shapes = np.repeat((corner + side * self._mean)[None], count, axis=0)
        for cascade, anchors in enumerate(self._anchors):
            if rough is not None and cascade == ROUGH_AFTER:
                shapes += ROUGH_SHARE * (_complex(rough + 1.5) - shapes)
            # By how much each shape is turned and larger than the mean shape of the unit square;
            # where it lies makes no difference, as the sum of `_fit` is 0.
            turn = np.full(count, side) if self._fit is None else shapes @ self._fit
            places = shapes.take(anchors, axis=1)
            places += turn[:, None] * self._deltas[cascade]
            here = places.view(np.float64).reshape(count, -1, 2)
            np.maximum(here, 0, out=here)
            np.minimum(here, stride - 1, out=here)
            np.floor(here, out=here)
            levels = pixels.take((here @ step).astype(np.intp) + starts)
            leaves = self._reached(cascade, levels)
            weights = self._scales[cascade].take(leaves)[:, None]
            numbers = self._coefficients[cascade].take(leaves, axis=0).astype(np.float32)
            shift = (np.matmul(weights, numbers)[:, 0] @ self._basis).astype(np.float64)
            shapes += side * shift.view(np.complex128)
        return shapes.view(np.float64).reshape(count, -1, 2) - 1.5

    def _reached(self, cascade: int, levels: NDArray[np.int16]) -> NDArray[np.intp]:
        """Numbers of the leaves that each crop reaches, shape (crops, trees)."""
        apart = levels.take(self._first[cascade], axis=1)
        apart -= levels.take(self._second[cascade], axis=1)
        packed = np.packbits(apart > self._thresholds[cascade], axis=1, bitorder="little")
        leaves = self._leaf.take(packed.view("<u2"))
        leaves += self._start
        return leaves


CropPredictor = DlibPredictor | Forest


def _complex(places: NDArray[Any]) -> NDArray[np.complex128]:
    """Places, shape (..., 2), as complex numbers."""
    pairs = np.ascontiguousarray(places, np.float64)
    return pairs.view(np.complex128)[..., 0]


def _padded(splits: NDArray[Any], value: Any) -> NDArray[Any]:
    """Numbers of splits, shape (cascades, trees, splits), as rows of `_BITS` for each tree."""
    cascades, trees, count = splits.shape
    out = np.full((cascades, trees, _BITS), value, np.int32)
    out[..., :count] = splits
    return out.reshape(cascades, -1)


def _leaf_table(splits: int) -> NDArray[np.intp]:
    """The leaf to which the answers of a tree's splits lead, by the number that they make."""
    answers = np.arange(1 << _BITS)
    node = np.zeros_like(answers)
    for _ in range(splits.bit_length()):
        node = 2 * node + 2 - ((answers >> node) & 1)
    return cast(NDArray[np.intp], (node - splits).astype(np.intp))

"""A predictor in whole numbers: what an `.efld` file keeps, and how it is made from floats.

A leaf is ``(coefficients @ basis) * 2**(exponent + its class)``, all of them whole numbers below
2**24 in size, and so is every step in between: the result is one float32, the same on every machine
and whatever the order of the sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..boxes import FloatArray
from ..errors import OptionError
from .predictor import Float32Array, IndexArray, LeafIndices, Predictor

DELTA_EXPONENT = -14
"""Pixel places are kept in units of 2**-14 of the box, 0.01 pixel of a 200-pixel face."""

DEAD_ZONE = 0.1
"""By how much of a step rounding prefers the number nearer to zero, where nothing else is said."""

RARE = 0.012
"""Part of the coefficients other than zero that are left out: those of the directions in which
hardly any leaf varies. Of the package's model they are half of the directions, which would take
half of the time to load and a quarter of the time to predict; the error without is the same."""

MANTISSA = 1 << 24
# Of the basis; fewer where the leaves are large.
_BASIS_BITS = (11, 9, 7)
_CLASSES = 8
_BY_CASCADE = ("first", "second", "thresholds", "anchors", "deltas", "classes", "coefficients")
# A leaf's rounding error, as its neighbours in later trees are to make it good, is an average over
# the faces that reach them; below this many faces it is trusted by less than half.
_TRUST = 10


@dataclass(frozen=True)
class Quantised:
    """A shape predictor in whole numbers.

    Parameters
    ----------
    mean_shape, first, second, anchors
        As in `Predictor`.
    thresholds : array of int32, shape (cascades, trees, splits)
        As `Predictor.whole_thresholds`.
    deltas : array of int32, shape (cascades, pool, 2)
        In units of ``2**delta_exponent``.
    classes : array of uint8, shape (cascades, trees, splits + 1)
        Each leaf's step is ``2**class`` times the finest.
    basis : array of int32, shape (components, 2 * points)
        Directions in which the leaves vary, the same in all cascades.
    coefficients : array of int16, shape (cascades, components, trees * (splits + 1))
        Each leaf in those directions, the leaves of a cascade by class: those of one class have
        coefficients of one size.
    delta_exponent, exponent : int
        Powers of two of the pixel places, and of the leaves of class 0.
    """

    mean_shape: Float32Array
    first: IndexArray
    second: IndexArray
    thresholds: IndexArray
    anchors: IndexArray
    deltas: IndexArray
    classes: NDArray[np.uint8]
    basis: IndexArray
    coefficients: NDArray[np.int16]
    delta_exponent: int
    exponent: int

    def first_cascades(self, count: int | None) -> Quantised:
        """The predictor that stops after `count` cascades; None = all."""
        return replace(self, **{name: getattr(self, name)[:count] for name in _BY_CASCADE})

    def fits(self) -> bool:
        """Whether no sum of a leaf can reach 2**24, in whatever order it is made."""
        # Whole numbers are exact in float32 up to there, and rounding cannot lead back below.
        largest = np.abs(self.basis).max(axis=1).astype(np.float32)
        for coefficients in self.coefficients:
            low, high = coefficients.min(axis=1), coefficients.max(axis=1)
            bound = np.maximum(-low.astype(np.float32), high.astype(np.float32))
            # No leaf need have the largest number in every direction.
            if (
                largest @ bound >= MANTISSA
                and (largest @ np.abs(coefficients.astype(np.float32))).max() >= MANTISSA
            ):
                return False
        return True

    def leaf_coefficients(self, cascade: int) -> NDArray[np.int16]:
        """A cascade's coefficients, shape (leaves, components), in the order of its trees."""
        ordered = self.coefficients[cascade].T
        numbers = np.empty(ordered.shape, np.int16)
        numbers[_leaf_order(self.classes[cascade])] = ordered
        return numbers

    def leaf_integers(self, cascade: int) -> Float32Array:
        """Whole numbers of a cascade's leaves, to be multiplied by ``2**(exponent + class)``.

        Returns
        -------
        array of float32, shape (trees * (splits + 1), 2 * points)
            Exact where the numbers fit, as `quantise` and the reader of files see to.
        """
        numbers = self.leaf_coefficients(cascade).astype(np.float32)
        return numbers @ self.basis.astype(np.float32)

    def predictor(self) -> Predictor:
        """The predictor that these numbers stand for."""
        shape = (*self.classes.shape, 2 * len(self.mean_shape))
        leaves = np.empty(shape, dtype=np.float32)
        for cascade, into in enumerate(leaves):
            numbers = self.leaf_integers(cascade).reshape(into.shape)
            steps = self.classes[cascade][..., None].astype(np.int32) + self.exponent
            np.ldexp(numbers, steps, out=into)
        return Predictor(
            mean_shape=self.mean_shape,
            first=self.first,
            second=self.second,
            thresholds=self.thresholds.astype(np.float32),
            leaves=leaves,
            anchors=self.anchors,
            deltas=np.ldexp(self.deltas.astype(np.float32), self.delta_exponent),
        )


def _leaf_order(classes: NDArray[np.uint8]) -> NDArray[np.intp]:
    """A cascade's leaves, numbered through its trees, by class, shape (trees * (splits + 1),)."""
    return np.argsort(classes, axis=None, kind="stable")


def quantise(
    predictor: Predictor,
    step: float,
    reached: LeafIndices | None = None,
    dead_zone: float = DEAD_ZONE,
) -> Quantised:
    """Round a predictor to whole numbers.

    Parameters
    ----------
    predictor : Predictor
    step : float
        Rounding step of a leaf that every face reaches, in units of the box. A leaf that a quarter
        of the faces reach has twice the step, and so on: its error counts for less.
    reached : array, shape (runs, cascades, trees), optional
        What `compress.leaf_usage` gives. Later trees then also make good, as far as their leaves
        can, what the rounding of earlier ones did to these faces. Without it all leaves count
        alike.
    dead_zone : float
        From 0 to below 0.5: by how much of a step rounding prefers the number nearer to zero.

    Returns
    -------
    Quantised

    Raises
    ------
    OptionError
        `step` or `dead_zone` is out of range, or the leaves are too large for the step.
    """
    if not 1e-9 < step < 1:
        raise OptionError(f"the rounding step must be between 1e-9 and 1, not {step:g}")
    if not 0 <= dead_zone < 0.5:
        raise OptionError(f"the dead zone must be from 0 to below 0.5, not {dead_zone}")
    classes = _classes(predictor, reached)
    directions = _directions(predictor, classes)
    coefficients = np.empty(
        (predictor.cascades, predictor.trees, predictor.splits + 1, len(directions)), dtype=np.int32
    )
    for cascade, into in enumerate(coefficients):
        scaled = predictor.leaves[cascade].astype(np.float64) @ directions.T
        steps = step * 2.0 ** classes[cascade]
        here = None if reached is None else reached[:, cascade]
        into[...] = _rounded(scaled, steps, here, dead_zone)
    counts = np.cumsum(np.count_nonzero(coefficients, axis=(0, 1, 2)))
    kept = int(np.searchsorted(counts, (1 - RARE) * counts[-1])) + 1
    flat = coefficients[..., :kept].reshape(predictor.cascades, -1, kept)
    if np.abs(flat).max() >= 1 << 15:
        raise OptionError(f"the leaves are too large for the rounding step {step:g}")
    ordered = [leaves[_leaf_order(own)].T for leaves, own in zip(flat, classes, strict=True)]
    # A pixel a thousand boxes away is black wherever it is.
    deltas = np.rint(np.ldexp(predictor.deltas, -DELTA_EXPONENT))
    for bits in _BASIS_BITS:
        exponent = int(np.floor(np.log2(step))) - bits
        quantised = Quantised(
            mean_shape=predictor.mean_shape,
            first=predictor.first,
            second=predictor.second,
            thresholds=predictor.whole_thresholds().astype(np.int32),
            anchors=predictor.anchors,
            deltas=np.clip(deltas, 1 - MANTISSA, MANTISSA - 1).astype(np.int32),
            classes=classes,
            basis=np.rint(directions[:kept] * (step * 2.0**-exponent)).astype(np.int32),
            coefficients=np.array(ordered, dtype=np.int16),
            delta_exponent=DELTA_EXPONENT,
            exponent=exponent,
        )
        if quantised.fits():
            return quantised
    raise OptionError(f"the leaves are too large for the rounding step {step:g}")


def _classes(predictor: Predictor, reached: LeafIndices | None) -> NDArray[np.uint8]:
    """Class of each leaf: 0 where all faces come by, one more for each quarter of them."""
    shape = predictor.leaves.shape[:3]
    if reached is None:
        # On average, a leaf is reached by one face in as many as the tree has leaves.
        return np.full(shape, round(np.log2(shape[2]) / 2), dtype=np.uint8)
    counts = np.stack([(reached == leaf).sum(axis=0) for leaf in range(shape[2])], axis=-1)
    share = (counts + 1) / (len(reached) + shape[2])
    classes = np.clip(np.rint(-np.log2(share) / 2), 0, _CLASSES - 1)
    return cast(NDArray[np.uint8], classes.astype(np.uint8))


def _directions(predictor: Predictor, classes: NDArray[np.uint8]) -> FloatArray:
    """Principal directions of the leaves, the strongest first, shape (2 n, 2 n)."""
    total = np.zeros((2 * predictor.points,) * 2)
    for leaves, own in zip(predictor.leaves, classes, strict=True):
        scaled = (leaves * 2.0 ** -own[..., None].astype(np.float64)).reshape(-1, len(total))
        total += scaled.T @ scaled
    directions: FloatArray = np.linalg.eigh(total)[1].T[::-1]
    return directions


def _rounded(
    values: FloatArray, steps: FloatArray, reached: LeafIndices | None, dead_zone: float
) -> NDArray[np.int32]:
    """Whole numbers of steps for leaves (trees, leaves, components), steps (trees, leaves)."""
    steps = steps[..., None]
    if reached is None:
        return _towards_zero(values / steps, dead_zone)
    numbers = np.empty(values.shape, dtype=np.int32)
    # What the rounding of the trees so far has taken from each face, in each component.
    missing = np.zeros((len(reached), values.shape[2]), dtype=np.float32)
    leaf_numbers = np.arange(values.shape[1])
    for tree, leaves in enumerate(values):
        at = (reached[:, tree, None] == leaf_numbers).astype(np.float32)
        owed = (at.T @ missing) / (at.sum(axis=0) + _TRUST)[:, None]
        numbers[tree] = _towards_zero((leaves + owed) / steps[tree], dead_zone)
        missing += at @ (leaves - numbers[tree] * steps[tree]).astype(np.float32)
    return numbers


def _towards_zero(values: FloatArray, dead_zone: float) -> NDArray[np.int32]:
    size = np.minimum(np.floor(np.abs(values) + (0.5 - dead_zone)), MANTISSA)
    return np.copysign(size, values).astype(np.int32)

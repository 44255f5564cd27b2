"""The packed arrays of a predictor in an `.efld` file (docs/efld-format.md)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .container import pack_bytes, pack_integers, unpack_bytes, unpack_integers
from .predictor import IndexArray
from .quantised import MANTISSA, Quantised

MOST_EXPANSION = 400
"""A file may not announce more bytes of leaves than so many times its own."""

# Beyond this many units of 2**delta_exponent no distance is taken; and how many pixels' distances
# are in memory at a time.
_FAR = 1 << 20
_NEAR_ROWS = 128
_SIZES = ("points", "cascades", "trees", "splits", "pool", "components")
_EXPONENTS = ("delta_exponent", "leaf_exponent")


def pack_arrays(quantised: Quantised) -> tuple[dict[str, int], dict[str, bytes]]:
    """The sizes and exponents that a header states of a predictor, and its arrays, packed."""
    cascades, trees, splits = quantised.first.shape
    numbers = {
        "points": len(quantised.mean_shape),
        "cascades": cascades,
        "trees": trees,
        "splits": splits,
        "pool": quantised.anchors.shape[1],
        "components": len(quantised.basis),
        "delta_exponent": quantised.delta_exponent,
        "leaf_exponent": quantised.exponent,
    }
    ranks = np.empty_like(quantised.second)
    for cascade, near in enumerate(_neighbours(quantised)):
        place = np.argsort(near, axis=1)
        ranks[cascade] = place[quantised.first[cascade], quantised.second[cascade]]
    return numbers, {
        "mean_shape": pack_bytes(quantised.mean_shape.astype("<f4").tobytes()),
        "anchors": pack_integers(quantised.anchors),
        "deltas": pack_integers(quantised.deltas),
        "first": pack_integers(quantised.first),
        "rank": pack_integers(ranks),
        "thresholds": pack_integers(quantised.thresholds),
        "classes": pack_integers(quantised.classes),
        "basis": pack_integers(quantised.basis),
        "coefficients": pack_integers(quantised.coefficients),
    }


def _neighbours(quantised: Quantised) -> Iterator[IndexArray]:
    """For each cascade and pixel of its pool, the pixels by their distance, itself the first.

    A split compares pixels near each other, so the second one is a small number in this order.
    Distances are those of whole numbers, so that they are the same on every machine.
    """
    unit = 2.0**-quantised.delta_exponent
    mean_shape = quantised.mean_shape.astype(np.float64)
    mean = np.clip(np.rint(mean_shape * unit), -_FAR, _FAR).astype(np.int64)
    for anchors, deltas in zip(quantised.anchors, quantised.deltas, strict=True):
        x, y = (mean[anchors] + np.clip(deltas, -_FAR, _FAR)).T
        pool = len(anchors)
        bits = pool.bit_length()
        table = np.empty((pool, pool), dtype=np.int32)
        for start in range(0, pool, _NEAR_ROWS):
            rows = slice(start, start + _NEAR_ROWS)
            keys = (x[rows, None] - x) ** 2 + (y[rows, None] - y) ** 2
            keys[np.arange(len(keys)), np.arange(start, start + len(keys))] = -1
            # Equally far ones in the order of their numbers. Sorting is faster than `argsort`.
            keys <<= bits
            keys += np.arange(pool)
            keys.sort(axis=1)
            table[rows] = keys & ((1 << bits) - 1)
        yield table


def unpack_arrays(
    entry: Mapping[str, Any], parts: Mapping[str, memoryview], file_bytes: int
) -> Quantised:
    """The predictor of a header's `entry`, whose packed arrays are `parts`.

    Raises
    ------
    ValueError, KeyError, TypeError
        Something is missing, damaged, or out of proportion to a file of `file_bytes`.
    """
    points, cascades, trees, splits, pool, components = _sizes(entry, file_bytes)
    leaves = trees * (splits + 1)

    def integers(
        name: str, *shape: int, lowest: int = 1 - MANTISSA, below: int = MANTISSA
    ) -> NDArray[np.signedinteger[Any]]:
        values = unpack_integers(parts[name], math.prod(shape), name)
        if values.min() < lowest or values.max() >= below:
            raise ValueError(f"{name} has a number outside {lowest} to {below - 1}")
        return values.reshape(shape)

    def indices(name: str, *shape: int, below: int) -> IndexArray:
        return integers(name, *shape, lowest=0, below=below).astype(np.int32)

    def leaf_coefficients() -> NDArray[np.int16]:
        shape = (cascades, components, leaves)
        values = integers("coefficients", *shape, lowest=-(1 << 15), below=1 << 15)
        return values.astype(np.int16, copy=False)

    with ThreadPoolExecutor(1) as thread:
        # Most of the work is in this one, and unpacking lets the other thread run.
        coefficients = thread.submit(leaf_coefficients)
        mean = np.frombuffer(unpack_bytes(parts["mean_shape"], 8 * points, "mean_shape"), "<f4")
        if len(mean) != 2 * points or not np.isfinite(mean).all():
            raise ValueError("the mean shape is cut short, or has a number that is not finite")
        quantised = Quantised(
            mean_shape=mean.astype(np.float32).reshape(points, 2),
            first=indices("first", cascades, trees, splits, below=pool),
            second=indices("rank", cascades, trees, splits, below=pool),
            thresholds=integers("thresholds", cascades, trees, splits).astype(np.int32),
            anchors=indices("anchors", cascades, pool, below=points),
            deltas=integers("deltas", cascades, pool, 2).astype(np.int32),
            classes=indices("classes", cascades, trees, splits + 1, below=32).astype(np.uint8),
            basis=integers("basis", components, 2 * points).astype(np.int32),
            coefficients=np.empty((0, 0, 0), dtype=np.int16),
            delta_exponent=entry["delta_exponent"],
            exponent=entry["leaf_exponent"],
        )
        # In the file a second pixel is its rank among the neighbours of the first.
        for near, first, second in zip(
            _neighbours(quantised), quantised.first, quantised.second, strict=True
        ):
            second[...] = near[first, second]
    quantised = replace(quantised, coefficients=coefficients.result())
    if not quantised.fits():
        raise ValueError("has leaves out of range")
    return quantised


def _sizes(entry: Mapping[str, Any], file_bytes: int) -> tuple[int, ...]:
    """The announced sizes, in the order of `_SIZES`, unless they are out of all proportion."""
    sizes = tuple(entry[name] for name in _SIZES)
    for name, size in zip(_SIZES, sizes, strict=True):
        if type(size) is not int or not 1 <= size <= MANTISSA:
            raise ValueError(f"{size!r} {name} are announced")
    for name in _EXPONENTS:
        if type(entry[name]) is not int or not -100 <= entry[name] <= 0:
            raise ValueError(f"{name} is {entry[name]!r}")
    points, cascades, trees, splits, pool, components = sizes
    leaves = cascades * trees * (splits + 1)
    largest = max(leaves * 2 * points, leaves * components, cascades * pool * 2, pool * pool)
    if 4 * largest > MOST_EXPANSION * file_bytes:
        raise ValueError(
            f"{cascades} cascades of {trees} trees are announced in {file_bytes} bytes"
        )
    return sizes

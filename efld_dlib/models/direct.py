"""A quantised predictor as bytes that dlib reads, made faster than `dat` makes them.

`dat.dat_bytes` writes every number as short as dlib does. Here all numbers of a kind have one
length, so that they are laid down in whole arrays; dlib reads either, as the same predictor.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dat import float_bytes, list_bytes
from .quantised import Quantised

# A number of three bytes behind its control byte, and a float: mantissa, exponent (one byte).
_NUMBER, _FLOAT = 4, 6
_THREADS = 2


def direct_bytes(quantised: Quantised) -> bytes:
    """Bytes for `dlib.shape_predictor.__setstate__`."""
    cascades, trees, _ = quantised.first.shape
    rows = 2 * len(quantised.mean_shape)
    parts: list[bytes | memoryview] = [
        list_bytes([1, -rows, -1]),
        float_bytes(quantised.mean_shape),
        list_bytes([cascades]),
    ]
    with ThreadPoolExecutor(_THREADS) as threads:
        # numpy lets other threads run while it works on a large array.
        for forest in threads.map(partial(_forest, quantised), range(cascades)):
            parts += [list_bytes([trees]), forest]
    parts.append(list_bytes([cascades]))
    parts += [list_bytes([len(anchors), *anchors]) for anchors in quantised.anchors]
    parts.append(list_bytes([cascades]))
    for deltas in quantised.deltas:
        places = np.ldexp(deltas.astype(np.float32), quantised.delta_exponent)
        parts += [list_bytes([len(deltas)]), float_bytes(places)]
    return b"".join(parts)


def _forest(quantised: Quantised, cascade: int) -> memoryview:
    trees, splits = quantised.first.shape[1:]
    leaves, rows = splits + 1, 2 * len(quantised.mean_shape)
    split_size, leaf_size = 2 * _NUMBER + _FLOAT, 2 * _NUMBER + rows * _FLOAT
    leaf_start = 2 * _NUMBER + splits * split_size
    tree_size = leaf_start + leaves * leaf_size
    out = np.empty(trees * tree_size, dtype=np.uint8)

    def field(kind: str, offset: int, *shape_and_strides: tuple[int, int]) -> NDArray[Any]:
        shape, strides = zip((trees, tree_size), *shape_and_strides, strict=True)
        return np.ndarray(shape, dtype=kind, buffer=out, offset=offset, strides=strides)

    field("<u4", 0)[...] = _words(np.array(splits))
    field("<u4", leaf_start - _NUMBER)[...] = _words(np.array(leaves))
    per_split = (splits, split_size)
    field("<u4", _NUMBER, per_split)[...] = _words(quantised.first[cascade])
    field("<u4", 2 * _NUMBER, per_split)[...] = _words(quantised.second[cascade])
    field("<u4", 3 * _NUMBER, per_split)[...] = _words(quantised.thresholds[cascade])
    field("<u2", 4 * _NUMBER, per_split)[...] = 1
    per_leaf, per_row = (leaves, leaf_size), (rows, _FLOAT)
    field("<u4", leaf_start, per_leaf)[...] = _words(np.array(-rows))
    field("<u4", leaf_start + _NUMBER, per_leaf)[...] = _words(np.array(-1))
    numbers = quantised.leaf_integers(cascade).reshape(trees, leaves, rows)
    start = leaf_start + 2 * _NUMBER
    field("<u4", start, per_leaf, per_row)[...] = _words(numbers.astype(np.int32))
    exponents = quantised.classes[cascade][..., None].astype(np.int32) + quantised.exponent
    field("<u2", start + _NUMBER, per_leaf, per_row)[...] = (
        (np.abs(exponents) << 8) | 1 | ((exponents < 0) << 7)
    )
    return out.data


def _words(numbers: NDArray[Any]) -> NDArray[np.uint32]:
    """Control byte and three bytes of each number, as one word of 32 bits."""
    numbers = numbers.astype(np.int32, copy=False)
    words: NDArray[np.uint32] = np.abs(numbers).view(np.uint32) << np.uint32(8)
    words |= np.uint32(3)
    words |= (numbers < 0).astype(np.uint32) << np.uint32(7)
    return words

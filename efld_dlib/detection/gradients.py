"""Histograms of gradients of small pictures, which the verifier looks at."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import Image

FeatureArray = NDArray[np.float32]

SIDE = 72
"""Height and width in pixels of the pictures."""

CELL = 6
ORIENTATIONS = 12
_CELLS = SIDE // CELL
_HALVES = 2 * _CELLS
_SHARE = np.float32(1 / 3)
# A full turn, and the direction after it: added to the first two directions at the end.
_BINS = ORIENTATIONS + 2
FEATURES = _CELLS * _CELLS * (ORIENTATIONS + 1)

# Keep the noise of an even surface from being blown up to full contrast.
_LEAST_ENERGY = 80.0
_LEAST_CONTRAST = np.float32(8.0)
_CLIP = 0.5

# With it the brightness varies about as much as the histograms do.
_BRIGHT_SHARE = np.float32(0.2)


def gradient_features(pictures: Image) -> FeatureArray:
    """Features of pictures.

    Parameters
    ----------
    pictures : array of uint8, shape (n, SIDE, SIDE)
        Gray.

    Returns
    -------
    array of float32, shape (n, FEATURES)
        For each cell a histogram of signed gradient directions, over the contrast of the cells
        about it; then the cells' mean brightness, in the picture's own contrast.
    """
    count = len(pictures)
    if not count:
        return np.empty((0, FEATURES), np.float32)
    values = pictures.astype(np.float32)
    across, down = np.zeros_like(values), np.zeros_like(values)
    np.subtract(values[:, :, 2:], values[:, :, :-2], out=across[:, :, 1:-1])
    np.subtract(values[:, 2:], values[:, :-2], out=down[:, 1:-1])
    magnitude, angle = cv2.cartToPolar(across.reshape(count, -1), down.reshape(count, -1))
    angle *= np.float32(ORIENTATIONS / (2 * np.pi))
    lower = np.floor(angle)
    share = (angle - lower) * magnitude
    magnitude -= share
    places = _first_bins() + (np.arange(count) * (_HALVES * _HALVES * _BINS))[:, np.newaxis]
    # By way of 32 bits, which processors convert several at a time.
    places += lower.astype(np.int32)
    size = count * _HALVES * _HALVES * _BINS
    histogram = np.bincount(places.ravel(), magnitude.ravel(), size)
    # The direction after each one gets the rest; of the last bin nothing is passed on.
    histogram[1:] += np.bincount(places.ravel(), share.ravel(), size)[:-1]
    cells = _cells(histogram.astype(np.float32).reshape(count, _HALVES, _HALVES, _BINS))
    energy = np.sqrt(np.einsum("nyxo,nyxo->nyx", cells, cells))
    around = np.stack([cv2.blur(each, (3, 3)) for each in energy])
    scaled = cells / (around + np.float32(_LEAST_ENERGY))[..., np.newaxis]
    np.minimum(scaled, _CLIP, out=scaled)
    # Means of the cells; the pictures lie below one another, and no cell reaches into the next.
    below = values.reshape(-1, SIDE)
    means = cv2.resize(below, (_CELLS, count * _CELLS), interpolation=cv2.INTER_AREA)
    bright = cast(FeatureArray, means).reshape(count, _CELLS, _CELLS)
    bright -= bright.mean(axis=(1, 2), keepdims=True)
    bright /= bright.std(axis=(1, 2), keepdims=True) + _LEAST_CONTRAST
    return np.concatenate(
        [scaled.reshape(count, -1), _BRIGHT_SHARE * bright.reshape(count, -1)],
        axis=1,
        dtype=np.float32,
    )


def _cells(halves: FeatureArray) -> FeatureArray:
    """Cells from a grid of half their step, each with a share of the halves next to it.

    With hard borders between the cells a face that is shifted by a pixel looks too different.
    """
    rows = halves[:, ::2] + halves[:, 1::2]
    rows[:, 1:] += _SHARE * halves[:, 1:-1:2]
    rows[:, :-1] += _SHARE * halves[:, 2::2]
    cells: FeatureArray = rows[:, :, ::2] + rows[:, :, 1::2]
    cells[:, :, 1:] += _SHARE * rows[:, :, 1:-1:2]
    cells[:, :, :-1] += _SHARE * rows[:, :, 2::2]
    cells[..., :2] += cells[..., ORIENTATIONS:]
    return np.ascontiguousarray(cells[..., :ORIENTATIONS])


@lru_cache(maxsize=1)
def _first_bins() -> NDArray[np.intp]:
    """First bin of each pixel's half cell, shape (SIDE * SIDE)."""
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE)
    half = (rows // (CELL // 2)) * _HALVES + columns // (CELL // 2)
    return np.asarray(half * _BINS, dtype=np.intp)

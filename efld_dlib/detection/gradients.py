"""Histograms of gradients of small pictures, which the verifier looks at."""

from __future__ import annotations

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
_SHARES = (np.float32(1 / 3), np.float32(1), np.float32(1), np.float32(1 / 3))
FEATURES = _CELLS * _CELLS * (ORIENTATIONS + 1)

# Keep the noise of an even surface from being blown up to full contrast.
_LEAST_ENERGY = 80.0
_LEAST_CONTRAST = np.float32(8.0)
_CLIP = 0.5


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
    values = pictures.astype(np.float32)
    across, down = np.zeros_like(values), np.zeros_like(values)
    np.subtract(values[:, :, 2:], values[:, :, :-2], out=across[:, :, 1:-1])
    np.subtract(values[:, 2:], values[:, :-2], out=down[:, 1:-1])
    magnitude, angle = cv2.cartToPolar(across.reshape(count, -1), down.reshape(count, -1))
    place = angle * np.float32(ORIENTATIONS / (2 * np.pi))
    lower = place.astype(np.int32)
    share = (place - lower) * magnitude
    lower %= ORIENTATIONS
    base = _bases(count)
    size = count * _HALVES * _HALVES * ORIENTATIONS
    histogram = np.bincount((base + lower).ravel(), (magnitude - share).ravel(), size)
    upper = base + (lower + 1) % ORIENTATIONS
    histogram += np.bincount(upper.ravel(), share.ravel(), size)
    cells = _cells(histogram.astype(np.float32).reshape(count, _HALVES, _HALVES, ORIENTATIONS))
    energy = np.sqrt((cells**2).sum(axis=3))
    around = np.stack([cv2.blur(each, (3, 3)) for each in energy]) if count else energy
    scaled = cells / (around + np.float32(_LEAST_ENERGY))[..., np.newaxis]
    np.minimum(scaled, _CLIP, out=scaled)
    bright = values.reshape(count, _CELLS, CELL, _CELLS, CELL).mean(axis=(2, 4))
    bright -= bright.mean(axis=(1, 2), keepdims=True)
    bright /= bright.std(axis=(1, 2), keepdims=True) + _LEAST_CONTRAST
    return np.concatenate(
        [scaled.reshape(count, -1), 0.2 * bright.reshape(count, -1)], axis=1, dtype=np.float32
    )


def _cells(halves: FeatureArray) -> FeatureArray:
    """Cells from a grid of half their step, each with a share of the halves next to it.

    With hard borders between the cells a face that is shifted by a pixel looks too different.
    """
    padded = np.pad(halves, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = np.zeros((len(halves), _CELLS, _HALVES + 2, ORIENTATIONS), np.float32)
    cells = np.zeros((len(halves), _CELLS, _CELLS, ORIENTATIONS), np.float32)
    for place, share in enumerate(_SHARES):
        rows += share * padded[:, place : place + _HALVES : 2]
    for place, share in enumerate(_SHARES):
        cells += share * rows[:, :, place : place + _HALVES : 2]
    return cells


def _bases(count: int) -> NDArray[np.int32]:
    """First bin of each pixel's half cell, shape (count, SIDE * SIDE)."""
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE)
    half = (rows // (CELL // 2)) * _HALVES + columns // (CELL // 2)
    pictures = np.arange(count)[:, np.newaxis] * _HALVES * _HALVES
    bases: NDArray[np.int32] = ((pictures + half) * ORIENTATIONS).astype(np.int32)
    return bases

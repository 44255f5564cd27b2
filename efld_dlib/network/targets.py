"""What each cell of the face network should say of a scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detection.network import CELL_OUTPUTS, POSE_UNIT, STRIDES
from .scenes import SCENE, Scene

LEVELS = {8: (0.0, 44.0), 16: (32.0, 110.0), 32: (80.0, np.inf)}
"""By stride, the widths in pixels of the boxes that its cells answer for; one in two ranges is
answered for by both."""

NEAR = 0.16
"""Distance from a face's centre, in widths of its box, up to which a cell is to see it."""

UNCERTAIN = 0.38
"""Likewise, up to which a cell may see it: from here on it is background."""

_BESIDE_LEVEL = 1.6
"""A face so much smaller or larger than a level's may be seen by it; others are background."""

FloatBatch = NDArray[np.float32]


class Targets(NamedTuple):
    """Of all cells of a scene, those of the finest stride first.

    Parameters
    ----------
    face : array, shape (cells,)
        1 for cells that must see a face, 0 for the others.
    counts : array, shape (cells,)
        0 where either answer is right; else the weight of the score's error.
    outputs : array, shape (cells, CELL_OUTPUTS)
        What the network is to say there, its channels as in `model`; NaN where nobody knows.
    size : array, shape (cells,)
        Width of the face's box in cells.
    weight : array, shape (cells,)
        Of the errors of box, points and pose: all cells of a face weigh 1 together, times the
        face's own weight.
    rarity : array, shape (cells,)
        The face's weight by the rarity of its pose.
    """

    face: FloatBatch
    counts: FloatBatch
    outputs: FloatBatch
    size: FloatBatch
    weight: FloatBatch
    rarity: FloatBatch


def _grid(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of all cells in pixels, shape (cells, 2), and their strides."""
    places, strides = [], []
    for stride in STRIDES:
        count = side // stride
        columns, rows = np.meshgrid(np.arange(count), np.arange(count))
        places.append(np.stack([columns, rows], axis=-1).reshape(-1, 2) * float(stride))
        strides.append(np.full(count * count, float(stride)))
    return np.concatenate(places), np.concatenate(strides)


PLACES, CELL_STRIDES = _grid(SCENE)
_LEAST, _MOST = (np.array([LEVELS[int(s)][k] for s in CELL_STRIDES]) for k in (0, 1))


def targets(scene: Scene) -> Targets:
    """What the network should say of a scene."""
    cells = len(PLACES)
    face, counts = np.zeros(cells, np.float32), np.ones(cells, np.float32)
    outputs = np.full((cells, CELL_OUTPUTS), np.nan, np.float32)
    size, weight = np.ones(cells, np.float32), np.zeros(cells, np.float32)
    rarity = np.ones(cells, np.float32)
    columns, rows = PLACES.astype(int).T
    counts[~scene.background[rows, columns]] = 0
    for box in scene.ignored:
        counts[np.abs(PLACES - box[:2]).max(axis=1) < 0.65 * box[2]] = 0
    # What is known to be near a face is known to be background beside it.
    distances = [np.abs(PLACES - each.box[:2]).max(axis=1) for each in scene.faces]
    for each, distance in zip(scene.faces, distances, strict=True):
        width = each.box[2]
        counts[(distance > UNCERTAIN * width) & (distance < 0.75 * width)] = 1
    for each, distance in zip(scene.faces, distances, strict=True):
        width = each.box[2]
        near_level = (width >= _LEAST / _BESIDE_LEVEL) & (width <= _MOST * _BESIDE_LEVEL)
        counts[(distance < UNCERTAIN * width) & near_level] = 0
        counts[(distance < UNCERTAIN * width) & ~near_level & (face == 0)] = 1
    for each, distance in zip(scene.faces, distances, strict=True):
        width = each.box[2]
        at_level = (width >= _LEAST) & (width <= _MOST)
        seen = (distance < np.maximum(NEAR * width, 0.55 * CELL_STRIDES)) & at_level
        if not seen.any():
            continue
        face[seen] = counts[seen] = 1
        strides = CELL_STRIDES[seen]
        outputs[seen, 1:3] = (each.box[:2] - PLACES[seen]) / strides[:, None]
        outputs[seen, 3] = np.log(width / strides)
        five = (each.five[None] - PLACES[seen][:, None]) / strides[:, None, None]
        outputs[seen, 4:14] = five.reshape(-1, 10)
        outputs[seen, 14:17] = each.pose / POSE_UNIT
        size[seen] = width / strides
        weight[seen] = 1 / seen.sum()
        rarity[seen] = each.weight
    return Targets(face, counts, outputs, size, weight, rarity)

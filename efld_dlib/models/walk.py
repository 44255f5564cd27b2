"""Running a predictor step by step as dlib does, with numpy.

dlib predicts and tells no more. Making a model small, or its leaves better, needs to know which
leaves faces reach, so the same steps are taken here once more. They serve statistics alone; a rare
rounding that goes the other way than dlib's does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..boxes import Box, FloatArray
from ..crops import Crop, canonical_crop
from ..errors import DataError
from ..images import read_image, to_gray
from ..records import ImageRecord
from .predictor import Float32Array, Predictor

LeafIndices = NDArray[np.int32]

# Faces whose pixels are in memory at a time.
_BATCH = 256
# How far a detector's box lies off, as standard deviations: of its place in widths of the box, and
# of the logarithm of its size.
_SHIFT, _SCALE = 0.04, 0.05


def start_shapes(predictor: Predictor, count: int) -> FloatArray:
    """The mean shape `count` times, in units of the face box, shape (count, points, 2)."""
    return np.repeat(predictor.mean_shape[None].astype(np.float64), count, axis=0)


def cascade_leaves(
    predictor: Predictor,
    cascade: int,
    images: NDArray[np.uint8],
    box: Box,
    shapes: FloatArray,
) -> LeafIndices:
    """The leaf of each tree of a cascade that each face reaches.

    Parameters
    ----------
    predictor : Predictor
    cascade : int
    images : array of uint8, shape (faces, height, width)
        Crops of one size.
    box : Box
        The face box in all of them.
    shapes : array, shape (faces, points, 2)
        The shapes so far, in units of the box.

    Returns
    -------
    array of int32, shape (faces, trees)
    """
    corner, extent = _unit(box)
    reached = np.empty((len(images), predictor.trees), dtype=np.int32)
    for first in range(0, len(images), _BATCH):
        batch = slice(first, first + _BATCH)
        places = corner + extent * _pixel_places(predictor, cascade, shapes[batch])
        values = _pixels(images[batch], np.floor(places + 0.5).astype(np.int64))
        reached[batch] = _descend(predictor, cascade, values)
    return reached


def add_leaves(shapes: FloatArray, leaves: Float32Array, reached: LeafIndices) -> None:
    """Correct `shapes` in place by the leaves reached.

    Parameters
    ----------
    shapes : array, shape (faces, points, 2)
    leaves : array of float32, shape (trees, leaves, 2 * points)
        Of one cascade.
    reached : array of int32, shape (faces, trees)
    """
    trees = np.arange(len(leaves))
    for shape, own in zip(shapes, reached, strict=True):
        shape += leaves[trees, own].sum(axis=0).reshape(-1, 2)


def face_crops(
    records: Sequence[ImageRecord], variants: int, rng: np.random.Generator
) -> Iterator[tuple[Crop, FloatArray]]:
    """Crops of faces, from their own boxes and from boxes slightly beside them.

    Parameters
    ----------
    records : sequence of ImageRecord
        Faces with boxes.
    variants : int
        Crops of a face. The first is of its own box; the others are shifted and scaled by chance.
    rng : numpy.random.Generator

    Yields
    ------
    crop : Crop
    truth : array, shape (points, 2)
        The face's landmarks in units of the crop's box; NaN = not annotated.

    Raises
    ------
    DataError
        A face has no box, or a picture cannot be read.
    """
    for record in records:
        gray = to_gray(read_image(record.path))
        for face in record.faces:
            if face.box is None:
                raise DataError(record.path, "has a face without a box")
            for variant in range(variants):
                crop = canonical_crop(gray, face.box if variant == 0 else _beside(face.box, rng))
                corner, extent = _unit(crop.box)
                yield crop, (crop.from_photograph(face.points) - corner) / extent


def _unit(box: Box) -> tuple[FloatArray, FloatArray]:
    """Corner and sides, in pixels, of the unit square that shapes lie in: dlib's goes from the
    first to the last pixel of the box.
    """
    return np.array([box.left, box.top]), np.array([box.width - 1, box.height - 1])


def _beside(box: Box, rng: np.random.Generator) -> Box:
    """A box such as a detector might have given instead of `box`."""
    left, top = np.array([box.left, box.top]) + rng.normal(0, _SHIFT, 2) * box.width
    scale = float(np.exp(rng.normal(0, _SCALE)))
    width, height = scale * box.width, scale * box.height
    return Box(left + (box.width - width) / 2, top + (box.height - height) / 2, width, height)


def _pixel_places(predictor: Predictor, cascade: int, shapes: FloatArray) -> FloatArray:
    """Where the pool's pixels lie in the box, shape (shapes, pool, 2)."""
    mean = predictor.mean_shape - predictor.mean_shape.mean(axis=0, dtype=np.float64)
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    # Rotation and scale of the mean shape that fit each shape best (Umeyama, 1991).
    spread = max(float((mean**2).sum()), np.finfo(np.float64).tiny)
    cosine = (centred * mean).sum(axis=(1, 2)) / spread
    sine = (mean[:, 0] * centred[:, :, 1] - mean[:, 1] * centred[:, :, 0]).sum(axis=1) / spread
    x, y = predictor.deltas[cascade].astype(np.float64).T
    turned = np.stack(
        [np.outer(cosine, x) - np.outer(sine, y), np.outer(sine, x) + np.outer(cosine, y)], axis=-1
    )
    return turned + shapes[:, predictor.anchors[cascade]]


def _pixels(images: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Gray levels at `places`, black outside the pictures, shape (images, places)."""
    size = np.array(images.shape[:0:-1])
    inside = ((places >= 0) & (places < size)).all(axis=-1)
    column, row = np.moveaxis(np.clip(places, 0, size - 1), -1, 0)
    return np.where(inside, images[np.arange(len(images))[:, None], row, column], 0).astype(
        np.int32
    )


def _descend(predictor: Predictor, cascade: int, values: NDArray[np.int32]) -> LeafIndices:
    """The leaf of each tree for pixel values of shape (faces, pool): shape (faces, trees)."""
    trees = np.arange(predictor.trees)
    nodes = np.zeros((len(values), predictor.trees), dtype=np.int32)
    for _ in range(predictor.depth):
        inner = nodes < predictor.splits
        at = np.where(inner, nodes, 0)
        first = np.take_along_axis(values, predictor.first[cascade][trees, at], axis=1)
        second = np.take_along_axis(values, predictor.second[cascade][trees, at], axis=1)
        right = first - second <= predictor.thresholds[cascade][trees, at]
        nodes = np.where(inner, 2 * nodes + 1 + right, nodes).astype(np.int32)
    return nodes - np.int32(predictor.splits)

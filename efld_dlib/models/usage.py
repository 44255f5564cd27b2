"""Which leaf of every tree faces reach, found out by running a predictor as dlib does.

dlib predicts and tells no more. A model can be made small only by knowing which leaves matter, so
the same steps are taken here once more with numpy. They are used for statistics alone; a rare
rounding that goes the other way than dlib's does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..annotation import Box, FloatArray, ImageRecord
from ..errors import DataError
from ..images import Crop, Image, canonical_crop, read_image, to_gray
from .predictor import Predictor

LeafIndices = NDArray[np.int32]

_BATCH = 128
_SHIFT, _SCALE = 0.04, 0.05


def leaf_usage(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    samples: int,
    rng: np.random.Generator,
) -> LeafIndices:
    """The leaves that faces reach, from their own boxes and from boxes slightly beside them.

    Parameters
    ----------
    predictor : Predictor
    records : sequence of ImageRecord
        Faces with boxes.
    samples : int
        How many runs are wanted, about. Every face is run once at least; the others are of mirror
        images and boxes that are shifted and scaled by chance.
    rng : numpy.random.Generator

    Returns
    -------
    array of int32, shape (runs, cascades, trees)

    Raises
    ------
    DataError
        There is no face, one has no box, or a picture cannot be read.
    """
    faces = sum(len(record.faces) for record in records)
    if not faces:
        raise DataError("<faces>", "there is no face to find out the use of the leaves with")
    crops = _crops(records, max(1, round(samples / faces)), rng)
    reached: list[LeafIndices] = []
    batch: list[Crop] = []
    for crop in crops:
        batch.append(crop)
        if len(batch) == _BATCH:
            reached.append(reached_leaves(predictor, batch))
            batch = []
    if batch:
        reached.append(reached_leaves(predictor, batch))
    return np.concatenate(reached)


def _crops(
    records: Sequence[ImageRecord], variants: int, rng: np.random.Generator
) -> Iterator[Crop]:
    for record in records:
        gray = to_gray(read_image(record.path))
        for face in record.faces:
            if face.box is None:
                raise DataError(record.path, "has a face without a box")
            for variant in range(variants):
                box = face.box if variant == 0 else _beside(face.box, rng)
                crop = canonical_crop(gray, box)
                yield _mirrored(crop) if variant % 2 else crop


def _beside(box: Box, rng: np.random.Generator) -> Box:
    """A box such as a detector might have given instead of `box`."""
    left, top = np.array([box.left, box.top]) + rng.normal(0, _SHIFT, 2) * box.width
    scale = float(np.exp(rng.normal(0, _SCALE)))
    width, height = scale * box.width, scale * box.height
    return Box(left + (box.width - width) / 2, top + (box.height - height) / 2, width, height)


def _mirrored(crop: Crop) -> Crop:
    # The face box lies in the middle of the crop, so it is its own mirror image.
    image: Image = crop.image[:, ::-1]
    return Crop(image, crop.matrix, crop.box)


def reached_leaves(predictor: Predictor, crops: Sequence[Crop]) -> LeafIndices:
    """Index of the leaf of each tree that each face reaches, shape (crops, cascades, trees)."""
    images = np.array([crop.image for crop in crops])
    box = crops[0].box
    corner = np.array([box.left, box.top])
    extent = np.array([box.width - 1, box.height - 1])
    shapes = np.repeat(predictor.mean_shape[None].astype(np.float64), len(images), axis=0)
    reached = np.empty((len(images), predictor.cascades, predictor.trees), dtype=np.int32)
    trees = np.arange(predictor.trees)
    for cascade in range(predictor.cascades):
        places = corner + extent * _pixel_places(predictor, cascade, shapes)
        values = _pixels(images, np.floor(places + 0.5).astype(np.int64))
        leaves = _descend(predictor, cascade, values)
        reached[:, cascade] = leaves
        for shape, own in zip(shapes, leaves, strict=True):
            shape += predictor.leaves[cascade][trees, own].sum(axis=0).reshape(-1, 2)
    return reached


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

"""Which leaf of every tree faces reach, for making a model small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..crops import Crop
from ..errors import DataError
from ..images import Image
from ..records import ImageRecord
from .predictor import Predictor
from .walk import LeafIndices, add_leaves, cascade_leaves, face_crops, start_shapes

_BATCH = 128


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
    variants = max(1, round(samples / faces))
    reached: list[LeafIndices] = []
    batch: list[Crop] = []
    for number, (crop, _) in enumerate(face_crops(records, variants, rng)):
        batch.append(_mirrored(crop) if number % variants % 2 else crop)
        if len(batch) == _BATCH:
            reached.append(reached_leaves(predictor, batch))
            batch = []
    if batch:
        reached.append(reached_leaves(predictor, batch))
    return np.concatenate(reached)


def _mirrored(crop: Crop) -> Crop:
    # The face box lies in the middle of the crop, so it is its own mirror image.
    image: Image = crop.image[:, ::-1]
    return Crop(image, crop.matrix, crop.box)


def reached_leaves(predictor: Predictor, crops: Sequence[Crop]) -> LeafIndices:
    """Index of the leaf of each tree that each face reaches, shape (crops, cascades, trees)."""
    images = np.array([crop.image for crop in crops])
    shapes = start_shapes(predictor, len(images))
    reached = np.empty((len(images), predictor.cascades, predictor.trees), dtype=np.int32)
    for cascade in range(predictor.cascades):
        leaves = cascade_leaves(predictor, cascade, images, crops[0].box, shapes)
        reached[:, cascade] = leaves
        add_leaves(shapes, predictor.leaves[cascade], leaves)
    return reached

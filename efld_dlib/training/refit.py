"""Fitting the leaves of a trained predictor anew, all trees of a cascade together.

dlib's trainer fits a tree to what the trees before it left, and `nu` holds each of them back; what
a leaf says is never looked at again. Given which leaves the faces reach, the leaves of one cascade
are the coefficients of a linear regression, which has a solution of least squares: Ren et al.,
"Face Alignment at 3000 FPS via Regressing Local Binary Features" (CVPR 2014). The trees, and so the
size and the speed of the predictor, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.sparse import csr_matrix

from ..boxes import Box, FloatArray
from ..errors import DataError
from ..models.predictor import LeafIndices, Predictor, face_crops, run_cascades
from ..records import ImageRecord
from .options import require_memory

MOST_RUNS_OF_A_FACE = 20
RIDGE = 0.15
RUNS = 20_000
SEED = 1


def refit_leaves(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    ridge: float = RIDGE,
    runs: int = RUNS,
) -> Predictor:
    """The predictor with leaves that fit the faces better.

    One cascade after the other: the faces go through the cascades already fitted, and the leaves of
    the next are moved by ridge regression towards what is still missing.

    Parameters
    ----------
    predictor : Predictor
    records : sequence of ImageRecord
        The faces that it was trained on, with boxes. A landmark that is absent pulls at nothing.
    ridge : float
        How strongly a leaf holds on to what dlib's trainer gave it, as a fraction of all runs: one
        that this fraction of the runs reaches moves half of the way. Without enough of it the
        leaves learn the training faces by heart.
    runs : int
        How often the predictor is run, about: each face once, then from boxes beside its own, which
        `SEED` determines, but none more often than `MOST_RUNS_OF_A_FACE`.

    Returns
    -------
    Predictor

    Raises
    ------
    DataError
        There is no face, one has no box or other landmarks, or a picture cannot be read.
    TrainingError
        The memory will not do.
    """
    images, truth, box = _runs(predictor, records, runs)
    leaves = predictor.leaves.copy()
    for shapes, own, reached in run_cascades(predictor, leaves, images, box):
        wanted = (truth - shapes).reshape(len(shapes), -1)
        change = _ridge_regression(reached, own, wanted, ridge)
        own += change.reshape(own.shape).astype(np.float32)
    return replace(predictor, leaves=leaves)


def _ridge_regression(
    reached: LeafIndices, leaves: NDArray[np.float32], wanted: FloatArray, ridge: float
) -> FloatArray:
    """By how much the leaves (trees, leaves, 2 n) are to move, shape (trees * leaves, 2 n)."""
    runs, trees = reached.shape
    size = leaves.shape[1]
    columns = reached + size * np.arange(trees, dtype=np.int32)
    design = csr_matrix(
        (np.ones(columns.size), columns.ravel(), trees * np.arange(runs + 1)),
        shape=(runs, trees * size),
    )
    missing = wanted - design @ leaves.reshape(trees * size, -1).astype(np.float64)
    missing[np.isnan(missing)] = 0.0
    normal = (design.T @ design).toarray()
    normal[np.diag_indices_from(normal)] += ridge * runs
    change: FloatArray = solve(
        normal, design.T @ missing, assume_a="pos", overwrite_a=True, check_finite=False
    )
    return change


def _runs(
    predictor: Predictor, records: Sequence[ImageRecord], runs: int
) -> tuple[NDArray[np.uint8], FloatArray, Box]:
    """Crops, their landmarks in units of the box, and the box in all crops."""
    faces = sum(len(record.faces) for record in records)
    if not faces:
        raise DataError("<faces>", "there is no face to fit the leaves to")
    variants = min(max(1, round(runs / faces)), MOST_RUNS_OF_A_FACE)
    rng = np.random.default_rng(SEED)
    crops = face_crops(records, variants, rng)
    crop, points = next(crops)
    if points.shape != predictor.mean_shape.shape:
        raise DataError(
            records[0].path,
            f"has {len(points)} landmarks, and the predictor has {predictor.points}",
        )
    require_memory(
        faces * variants * crop.image.size,
        "fitting the leaves",
        "lower the number of runs, or use fewer faces",
    )
    images = np.empty((faces * variants, *crop.image.shape), dtype=np.uint8)
    truth = np.empty((faces * variants, *points.shape))
    images[0], truth[0] = crop.image, points
    for number, (crop, points) in enumerate(crops, start=1):
        images[number], truth[number] = crop.image, points
    return images, truth, crop.box

"""How far the landmarks of a face are from those of any face."""

from __future__ import annotations

import numpy as np

from ..boxes import FloatArray, annotated
from ..pose import estimate_poses, mean_face_3d, rotation_matrix

# No annotated face looks further away than this; mirrored labels look like the back of a head.
_MAX_YAW = 100.0


def implausibility(points: FloatArray) -> FloatArray:
    """Distance of faces from the mean face in their own pose.

    The mean face in three dimensions is turned into each face's pose, laid over it with the best
    shift, turn and scale in the picture, and compared landmark by landmark. What is left is an
    open mouth or a grimace in a good annotation, and much more where points are off or swapped.

    Parameters
    ----------
    points : array, shape (n, 68, 2)
        NaN = not annotated.

    Returns
    -------
    array, shape (n,)
        Root mean square distance by the face's own spread (that of its points about their middle);
        NaN with fewer than three landmarks, infinite where they are all in one place.
    """
    poses = np.nan_to_num(estimate_poses(points), nan=0.0)
    poses[:, 0] = np.clip(poses[:, 0], -_MAX_YAW, _MAX_YAW)
    model = mean_face_3d()
    scores: FloatArray = np.array(
        [
            _distance(face, (model @ rotation_matrix(tuple(pose)).T)[:, :2])
            for face, pose in zip(points, poses, strict=True)
        ]
    )
    return scores


def _distance(face: FloatArray, model: FloatArray) -> float:
    given = annotated(face)
    if given.sum() < 3:
        return float("nan")
    # As complex numbers, a turn with a scale is one factor, and none of them mirrors.
    here = face[given] @ [1, 1j]
    there = model[given] @ [1, 1j]
    here, there = here - here.mean(), there - there.mean()
    spread = float(np.linalg.norm(here))
    if spread < 1e-6:  # pixels; no more than rounding errors
        return float("inf")
    factor = np.vdot(there, here) / np.vdot(there, there)
    return float(np.linalg.norm(here - factor * there)) / spread

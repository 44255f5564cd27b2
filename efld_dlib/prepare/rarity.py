"""How rare a face is among the training faces, and how often it is trained on for that.

The paper's loss punishes errors on rare training samples more. dlib's trainer has no weights, so a
weight becomes a number of copies: see `copies_for_weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from ..boxes import FloatArray
from ..errors import OptionError
from ..geometry import features, parse_features
from ..landmarks import FACE_68
from ..pose import face_poses
from ..records import FaceAnnotation, ImageRecord, convert_points

DENSITY_BANDWIDTH = 6.0
"""Width in degrees (one standard deviation) of the Gaussian that smooths the pose density. Below
it a single face is its own neighbourhood; far above it turned heads look as common as frontal."""

_CUTOFF = 4.0
"""Standard deviations beyond which a neighbour adds nothing worth counting."""

_MOST_EXACT = 10_000
"""Poses of which each looks for its neighbours; more of them are counted on a grid."""

_CELL = 0.25
"""Side of the grid's cells in standard deviations."""

_BLOCK = 256


@dataclass(frozen=True)
class Weighting:
    """How rarity becomes weight.

    Parameters
    ----------
    kind : {"pose-density", "classes", "none"}
        By the smoothed density of yaw, pitch and roll; by the inverse fraction of the classes of
        `class_members`; or not at all.
    gamma : float
        Exponent of the rarity: 0 weights nothing, 1 evens the density out entirely.
    cap : float
        Largest weight; the smallest is 1.

    Raises
    ------
    OptionError
        There is no such kind, or a number is out of its range.
    """

    kind: str = "pose-density"
    gamma: float = 0.5
    cap: float = 4.0

    def __post_init__(self) -> None:
        if self.kind not in WEIGHTINGS:
            raise OptionError(
                f"there is no weighting '{self.kind}'; choose {', '.join(WEIGHTINGS)}"
            )
        if not 0 <= self.gamma <= 2:
            raise OptionError(f"gamma must be between 0 and 2, not {self.gamma}")
        if not 1 <= self.cap <= 1000:
            raise OptionError(f"the cap must be between 1 and 1000, not {self.cap}")


def parse_weighting(text: str) -> Weighting:
    """A weighting as it is written on a command line.

    Raises
    ------
    OptionError
        It is not of the form ``KIND[,gamma=N][,cap=N]``, or out of range.

    Examples
    --------
    >>> parse_weighting("classes,cap=2")
    Weighting(kind='classes', gamma=0.5, cap=2.0)
    """
    kind, *settings = text.split(",")
    pairs = [setting.partition("=")[::2] for setting in settings]
    try:
        return Weighting(kind, **{name: float(value) for name, value in pairs})
    except (TypeError, ValueError):
        raise OptionError(f"weights are KIND[,gamma=N][,cap=N], not '{text}'") from None


def pose_density(poses: FloatArray, at: FloatArray | None = None) -> FloatArray:
    """Smoothed density of poses, each counted with its mirror image.

    Parameters
    ----------
    poses : array, shape (n, 3)
        Yaw, pitch, roll in degrees; rows with NaN are not counted.
    at : array, shape (m, 3), optional
        Where to tell the density; by default at the poses themselves.

    Returns
    -------
    array, shape (m,)
        Mean weight of a Gaussian of `DENSITY_BANDWIDTH` about each pose; NaN for a NaN row.

    Examples
    --------
    Nine frontal faces and one that looks far aside, of which the mirror image looks as far:

    >>> poses = np.zeros((10, 3))
    >>> poses[9, 0] = 60.0
    >>> pose_density(poses, np.array([[0.0, 0, 0], [60, 0, 0], [-60, 0, 0]])).round(3).tolist()
    [0.9, 0.05, 0.05]
    """
    at = poses if at is None else at
    known = poses[np.isfinite(poses).all(axis=1)]
    density = np.full(len(at), np.nan)
    asked = np.isfinite(at).all(axis=1)
    if not len(known) or not asked.any():
        return density
    both = np.vstack([known, known * [-1, 1, -1]])
    how = _density_by_neighbours if len(known) <= _MOST_EXACT else _density_by_grid
    density[asked] = how(both / DENSITY_BANDWIDTH, at[asked] / DENSITY_BANDWIDTH) / len(both)
    return density


def _density_by_neighbours(points: FloatArray, places: FloatArray) -> FloatArray:
    """Sum of the unit Gaussians about `points`, shape (n, 3), at `places`."""
    neighbours = cKDTree(points)
    sums = np.empty(len(places))
    # Some at a time, or the lists of neighbours take more memory than all else.
    for first in range(0, len(places), _BLOCK):
        block = places[first : first + _BLOCK]
        near = neighbours.query_ball_point(block, _CUTOFF)
        for number, (group, place) in enumerate(zip(near, block, strict=True), start=first):
            sums[number] = np.exp(-0.5 * ((points[group] - place) ** 2).sum(axis=1)).sum()
    return sums


def _density_by_grid(points: FloatArray, places: FloatArray) -> FloatArray:
    """The same but for about a hundredth, in a time that does not grow with the square of n."""
    low = np.minimum(points.min(axis=0), places.min(axis=0)) / _CELL - 1
    size = np.ceil(np.maximum(points.max(axis=0), places.max(axis=0)) / _CELL - low).astype(int) + 2
    grid = np.zeros(size)
    corner, part = np.divmod(points / _CELL - low, 1)
    for step in np.ndindex(2, 2, 2):
        share = np.where(step, part, 1 - part).prod(axis=1)
        np.add.at(grid, tuple((corner.astype(int) + step).T), share)
    # Sharing between the corners of a cell, here and in reading, widens by a sixth of its square.
    width = np.sqrt(1 - _CELL**2 / 3) / _CELL
    smooth = gaussian_filter(grid, width, mode="constant", truncate=_CUTOFF + 1)
    peak = (np.sqrt(2 * np.pi) / _CELL) ** 3
    found = map_coordinates(smooth, (places / _CELL - low).T, order=1)
    return cast(FloatArray, peak * found)


def _density_rarity(faces: Sequence[FaceAnnotation]) -> FloatArray:
    density = pose_density(face_poses(faces))
    known = density[np.isfinite(density)]
    if not len(known):
        return np.ones(len(faces))
    # A density of next to nothing is the rarest of all, not a division by zero.
    floor = float(np.median(known)) / 1e6
    rarity = np.median(known) / np.maximum(density, floor)
    return np.where(np.isfinite(rarity), rarity, 1.0)


PROFILE_YAW = 30.0
HEAD_PITCH = 15.0
OPEN_MOUTH = 0.35
OCCLUDED_FRACTION = 0.1


def mouth_opening(faces: Sequence[FaceAnnotation]) -> FloatArray:
    """Height over width of the inner lips of each face, shape (faces,); NaN where unknown."""
    points = np.array([face.points for face in faces])
    on_face = convert_points(points, faces[0].scheme, FACE_68)
    if on_face is None:
        return np.full(len(faces), np.nan)
    return features(on_face, parse_features("mouth_aspect"))[:, 0]


def class_members(faces: Sequence[FaceAnnotation]) -> dict[str, NDArray[np.bool_]]:
    """Which faces are in which of the classes that PFLD weights (Guo et al., arXiv 1902.10859).

    A face may be in several. One that is in none of the others is frontal.
    """
    yaw, pitch, _ = face_poses(faces).T
    hidden = [
        ~face.given if face.occluded is None else face.occluded | ~face.given for face in faces
    ]
    members = {
        "profile": np.abs(yaw) > PROFILE_YAW,
        "head-up": pitch > HEAD_PITCH,
        "head-down": pitch < -HEAD_PITCH,
        "expression": mouth_opening(faces) > OPEN_MOUTH,
        "occlusion": np.mean(hidden, axis=1) > OCCLUDED_FRACTION,
    }
    members["frontal"] = ~np.any(list(members.values()), axis=0)
    return members


def _class_rarity(faces: Sequence[FaceAnnotation]) -> FloatArray:
    """Sum of the inverse fractions of a face's classes, relative to a frontal face's."""
    members = class_members(faces)
    rarity = np.zeros(len(faces))
    for inside in members.values():
        rarity += inside / max(inside.mean(), 1 / len(faces))
    common = rarity[members["frontal"]]
    return np.asarray(rarity / (common[0] if len(common) else rarity.min()))


WEIGHTINGS: dict[str, Callable[[Sequence[FaceAnnotation]], FloatArray]] = {
    "pose-density": _density_rarity,
    "classes": _class_rarity,
    "none": lambda faces: np.ones(len(faces)),
}


def weigh(faces: Sequence[FaceAnnotation], weighting: Weighting) -> FloatArray:
    """Weight of each face, between 1 and the cap, shape (faces,).

    ``rarity ** gamma``, where the rarity of the median face (pose-density) or of a frontal one
    (classes) is 1. A face whose pose is unknown weighs 1.
    """
    if not faces:
        return np.empty(0)
    rarity = WEIGHTINGS[weighting.kind](faces)
    return cast(FloatArray, np.clip(rarity**weighting.gamma, 1.0, weighting.cap))


def repeated(record: ImageRecord, times: int) -> ImageRecord:
    """The record with `times` as many copies of each of its faces."""
    faces = tuple(replace(face, copies=times * face.copies) for face in record.faces)
    return replace(record, faces=faces)


def copies_for_weights(weights: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """Whole numbers of copies whose expectation is the weights (stochastic rounding).

    The rounding is systematic: one random offset for all, so that the copies of any run of faces
    add up to its weights within one, and the total is as good as constant.

    Parameters
    ----------
    weights : array, shape (n,)
        Expected copies, none negative.
    rng : Generator

    Returns
    -------
    array of int, shape (n,)

    Examples
    --------
    >>> copies = copies_for_weights(np.full(100, 1.5), np.random.default_rng(1))
    >>> sorted(set(copies.tolist())), int(copies.sum())
    ([1, 2], 150)
    """
    edges = np.floor(np.concatenate([[0.0], np.cumsum(weights)]) + rng.random())
    return cast(NDArray[np.int64], np.diff(edges).astype(np.int64))


def effective_sample_size(weights: FloatArray) -> float:
    """Number of equally weighted faces that would tell as much: (sum w)^2 / sum w^2 (Kish).

    Examples
    --------
    >>> effective_sample_size(np.array([1.0, 1.0, 2.0]))
    2.6666666666666665
    """
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0

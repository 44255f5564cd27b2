"""Head pose (yaw, pitch, roll) of a face from its 68 landmarks.

The signs, stated here once for the whole toolkit. All angles are degrees, 0 for a face that looks
straight into the camera:

- yaw > 0 when the subject's nose points to the picture's right,
- pitch > 0 when the face looks up,
- roll > 0 when the head is turned clockwise in the picture.

The camera's axes are OpenCV's: x to the picture's right, y down, z away from the viewer. A head
gets its pose by turning it first by yaw about y, then by pitch about x, then by roll about z,
``R = Rz(roll) @ Rx(pitch) @ Ry(yaw)``. Turning the picture therefore changes roll and nothing else;
roll is the direction of the face's long axis in the picture, and it stays defined in a full
profile, where a roll measured on the line of the eyes does not. yaw and roll lie in (-180, 180],
pitch in [-90, 90].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

from .boxes import BoolArray, FloatArray, Pose
from .landmarks import FACE_68, Scheme, correspondence
from .records import FaceAnnotation, convert_points

MEAN_FACE_FILE = "mean_face_3d.csv"

# The jaw is left out: in a turned face, 300-W's jaw follows the visible outline and not the same
# places of the head. With points predicted on AFLW2000-3D (|yaw| < 60), fitting it as well raised
# the mean error from 5.4 to 7.7 degrees in yaw and from 4.5 to 8.7 in pitch.
FITTED_LANDMARKS = np.arange(17, 68)

MIN_POINTS = 6
# How far the landmarks in use must reach out of a common plane, as the smallest singular value of
# their 3-D coordinates in eye distances. Half a face has 0.26, a nose 0.23, the two eyes 0.10.
MIN_DEPTH = 0.15
# Root mean square distance of the mean face's fitted landmarks from their middle, in eye distances.
_SPREAD = 0.52
# The fitted axes of a face are of about equal length; points nearer to a line than this are none.
MIN_AXIS_RATIO = 0.2
# Points that coincide leave a map of rounding errors, all smaller than this.
LEAST_MAP = 1e-9


def mean_face_3d() -> FloatArray:
    """Mean face in three dimensions.

    Returns
    -------
    array of float64, shape (68, 3)
        Landmarks of the "68" scheme at pose 0, symmetric about x = 0. Unit: the distance of the
        outer eye corners; origin: the middle between them; axes: x to the picture's right, y down,
        z away from the viewer (the nose tip has the smallest z). The jaw is the head's own, not
        the outline that a picture shows. Made by ``tools/fit_mean_face.py``.
    """
    return _mean_face().copy()


@lru_cache(maxsize=1)
def _mean_face() -> FloatArray:
    file = resources.files("efld_dlib") / "data" / MEAN_FACE_FILE
    return np.loadtxt(file.read_text("utf-8").splitlines(), delimiter=",")


def estimate_pose(points: ArrayLike) -> Pose:
    """Pose of one face.

    Parameters
    ----------
    points : array, shape (68, 2)
        Landmarks of the "68" scheme in pixels; NaN = not annotated.

    Returns
    -------
    Pose
        Degrees; all three NaN where the points do not determine it, see `estimate_poses`.

    Raises
    ------
    ValueError
        When `points` has another shape.

    Examples
    --------
    The mean face, lying on its side in the picture:

    >>> pose = estimate_pose(mean_face_3d()[:, :2] @ [[0, 1], [-1, 0]])
    >>> print(f"yaw {abs(pose.yaw):.1f}, pitch {abs(pose.pitch):.1f}, roll {pose.roll:.1f}")
    yaw 0.0, pitch 0.0, roll 90.0
    """
    (pose,) = estimate_poses(np.asarray(points, dtype=np.float64)[np.newaxis])
    return Pose(*pose.tolist())


def estimate_poses(points: ArrayLike, mean_face: FloatArray | None = None) -> FloatArray:
    """Pose of many faces at once.

    The mean face is fitted to the points under scaled orthographic projection in closed form: the
    affine map of least squares, then the rotation nearest to it (DeMenthon and Davis, IJCV 1995,
    the first round of their POSIT). The affine map takes up that faces differ in width and height:
    on AFLW2000-3D its mean error is 1.5 degrees in yaw and 2.2 in pitch, that of the rotation of
    least squares 2.1 and 3.1. Perspective is left out: it depends on the focal length, which crops
    and most photographs do not tell.

    Parameters
    ----------
    points : array, shape (n, 68, 2)
        Landmarks of the "68" scheme in pixels; NaN = not annotated. The jaw is not used.
    mean_face : array, shape (68, 3), optional
        The face to fit, with the axes of `mean_face_3d`, which is the default.

    Returns
    -------
    array of float64, shape (n, 3)
        yaw, pitch, roll in degrees. A row is NaN where fewer than `MIN_POINTS` landmarks off the
        jaw are given, where those given lie about in one plane of the head (the eyes alone) or
        on one line of the picture.

    Raises
    ------
    ValueError
        When `points` has another shape.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (68, 2):
        raise ValueError(f"points must have shape (n, 68, 2), not {points.shape}")
    fitted = points[:, FITTED_LANDMARKS]
    if mean_face is None:
        return _poses_of_maps(*_mean_face_maps(fitted))
    return _poses_of(fitted, mean_face[FITTED_LANDMARKS])


def _poses_of(points: FloatArray, solid: FloatArray) -> FloatArray:
    return _poses_of_maps(*_affine_maps(points, solid))


def _poses_of_maps(maps: FloatArray, determined: BoolArray) -> FloatArray:
    left, lengths, right = np.linalg.svd(maps, full_matrices=False)
    determined &= lengths[:, 1] > MIN_AXIS_RATIO * lengths[:, 0]
    axes = left @ right
    rotations = np.concatenate([axes, np.cross(axes[:, 0], axes[:, 1])[:, np.newaxis]], axis=1)
    return np.where(determined[:, np.newaxis], _angles(rotations), np.nan)


@cache
def has_pose(scheme: Scheme) -> bool:
    """Whether landmarks of a scheme tell a pose: by its positions, or by what it shares with the
    68, as long as that reaches out of one plane.
    """
    if scheme.positions is not None:
        flat = np.array(scheme.positions)[np.newaxis, :, :2]
    else:
        pairs = correspondence(scheme, FACE_68)
        if pairs is None:
            return False
        flat = np.full((1, scheme.size, 2), np.nan)
        flat[0, list(pairs)] = _mean_face()[list(pairs.values()), :2]
    return bool(np.isfinite(scheme_poses(flat, scheme)).all())


def scheme_poses(points: FloatArray, scheme: Scheme) -> FloatArray:
    """Yaw, pitch and roll of things with landmarks of any scheme.

    Parameters
    ----------
    points : array, shape (n, k, 2)
        Landmarks in pixels; NaN = not annotated.
    scheme : Scheme

    Returns
    -------
    array, shape (n, 3)
        Degrees, as `estimate_poses` gives them; NaN where the points do not determine them.
    """
    if scheme.positions is not None:
        # At the size of the mean face, for which `MIN_DEPTH` is made.
        solid = np.array(scheme.positions)
        solid -= solid.mean(axis=0)
        spread = float(np.sqrt((solid**2).sum(axis=1).mean()))
        return _poses_of(points, solid * (_SPREAD / spread) if spread else solid)
    on_face = convert_points(points, scheme, FACE_68)
    return np.full((len(points), 3), np.nan) if on_face is None else estimate_poses(on_face)


def scheme_pose(points: FloatArray, scheme: Scheme) -> Pose:
    """Pose of one thing with landmarks of shape (k, 2), as of `scheme_poses`."""
    (pose,) = scheme_poses(points[np.newaxis], scheme)
    return Pose(*pose.tolist())


def face_poses(faces: Sequence[FaceAnnotation]) -> FloatArray:
    """Yaw, pitch and roll of each face in degrees, shape (faces, 3).

    The data set's own pose where it gives one, else that of the landmarks; NaN where neither says.
    """
    if not faces:
        return np.empty((0, 3))
    poses = scheme_poses(np.array([face.points for face in faces]), faces[0].scheme)
    for index, face in enumerate(faces):
        if face.pose is not None and np.isfinite(face.pose).all():
            poses[index] = face.pose
    return poses


def _affine_maps(points: FloatArray, face: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Affine maps (n, 2, 3) from `face` (k, 3) to `points` (n, k, 2), and which are determined."""
    given: BoolArray = np.asarray(np.isfinite(points).all(axis=2))
    count = np.asarray(given.sum(axis=1))
    weight = given / np.maximum(count, 1)[:, np.newaxis]
    flat = _at_unit_size(np.where(given[..., np.newaxis], points, 0.0))
    flat -= np.einsum("nk,nkd->nd", weight, flat)[:, np.newaxis]
    solid = face - np.einsum("nk,kc->nc", weight, face)[:, np.newaxis]
    solid = solid * given[..., np.newaxis]
    spread = np.matmul(solid.transpose(0, 2, 1), solid)
    shared = np.matmul(solid.transpose(0, 2, 1), flat)

    deep = np.linalg.eigvalsh(spread)[:, 0] >= MIN_DEPTH**2
    determined: BoolArray = (count >= MIN_POINTS) & deep
    spread[~determined] = np.eye(3)
    maps = np.linalg.solve(spread, shared).transpose(0, 2, 1)
    determined &= np.abs(maps).max(axis=(1, 2)) > LEAST_MAP
    return maps, determined


def _at_unit_size(points: FloatArray) -> FloatArray:
    """Keeps the products finite for coordinates of any size."""
    size = np.abs(points).max(axis=(1, 2))
    return np.asarray(points / np.where(size > 0, size, 1.0)[:, np.newaxis, np.newaxis])


def _mean_face_maps(points: FloatArray) -> tuple[FloatArray, BoolArray]:
    """`_affine_maps` for the mean face; faces of which no point is missing take a shorter way."""
    complete = np.isfinite(points).all(axis=(1, 2))
    if complete.all():
        return _affine_maps_of_complete(points)
    maps, determined = _affine_maps(points, _mean_face()[FITTED_LANDMARKS])
    maps[complete], determined[complete] = _affine_maps_of_complete(points[complete])
    return maps, determined


def _affine_maps_of_complete(points: FloatArray) -> tuple[FloatArray, BoolArray]:
    flat = _at_unit_size(points)
    flat -= flat.mean(axis=1, keepdims=True)
    maps = flat.transpose(0, 2, 1) @ _mean_face_solver()
    return maps, np.asarray(np.abs(maps).max(axis=(1, 2)) > LEAST_MAP)


@lru_cache(maxsize=1)
def _mean_face_solver() -> FloatArray:
    """Least squares for the mean face: the map is the points, transposed, times this; (k, 3)."""
    face = _mean_face()[FITTED_LANDMARKS]
    solid = face - face.mean(axis=0)
    return np.linalg.solve(solid.T @ solid, solid.T).T


def rotation_matrix(pose: Sequence[float]) -> FloatArray:
    """Rotation that gives a head at pose 0 the given pose.

    Parameters
    ----------
    pose : Pose or sequence of 3 floats
        yaw, pitch, roll in degrees.

    Returns
    -------
    array of float64, shape (3, 3)
        ``R`` of the module's text: ``mean_face_3d() @ R.T`` is the turned face; its first two
        columns, scaled and moved, are its landmarks in the picture.
    """
    yaw, pitch, roll = np.radians(np.asarray(pose, dtype=np.float64))
    turn_y = _axis_rotation(2, 0, -yaw)
    turn_x = _axis_rotation(1, 2, -pitch)
    turn_z = _axis_rotation(0, 1, roll)
    return turn_z @ turn_x @ turn_y


def _axis_rotation(first: int, second: int, radians: float) -> FloatArray:
    """Rotation that carries axis `first` towards axis `second`."""
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(radians)
    matrix[second, first] = np.sin(radians)
    matrix[first, second] = -np.sin(radians)
    return matrix


def pose_of_rotation(rotation: ArrayLike) -> Pose:
    """Pose of a head that was turned by a rotation: the inverse of `rotation_matrix`.

    Parameters
    ----------
    rotation : array, shape (3, 3)
        A rotation in the camera's axes (x right, y down, z away from the viewer).

    Returns
    -------
    Pose
        Degrees. At pitch = +-90, yaw and roll turn about one axis, and only one of them is kept.
    """
    (angles,) = _angles(np.asarray(rotation, dtype=np.float64)[np.newaxis])
    return Pose(*angles.tolist())


def _angles(rotations: FloatArray) -> FloatArray:
    """yaw, pitch, roll in degrees, shape (n, 3), of rotations of shape (n, 3, 3)."""
    # Adding zero makes -0 to 0, so that half a turn is always 180 and never -180.
    yaw = np.arctan2(rotations[:, 2, 0] + 0.0, rotations[:, 2, 2])
    pitch = np.arcsin(np.clip(-rotations[:, 2, 1], -1.0, 1.0))
    roll = np.arctan2(0.0 - rotations[:, 0, 1], rotations[:, 1, 1])
    return np.asarray(np.degrees(np.stack([yaw, pitch, roll], axis=1)))


def pose_from_aflw2000(pose_para: ArrayLike) -> Pose:
    """Pose in the toolkit's convention from AFLW2000-3D's (and 300W-LP's) own.

    Their ``Pose_Para`` turns the head in another order, ``Rx(pitch) @ Ry(yaw) @ Rz(roll)``, in axes
    with y up and z towards the viewer (3DDFA, Zhu et al., CVPR 2016), and their yaw is positive
    towards the picture's left. For small angles that is yaw = -theirs, pitch and roll as theirs;
    in a turned head the numbers differ much more: (40, 66, 20) is yaw -70, pitch 21, roll 9.

    Parameters
    ----------
    pose_para : array, shape (3,) or more
        pitch, yaw, roll in radians; what follows (shift and scale) is not looked at.

    Returns
    -------
    Pose
        Degrees, in the convention of this module.
    """
    pitch, yaw, roll = np.asarray(pose_para, dtype=np.float64).ravel()[:3]
    turn_x = _axis_rotation(1, 2, -pitch)
    turn_y = _axis_rotation(2, 0, yaw)
    turn_z = _axis_rotation(0, 1, roll)
    return pose_of_rotation(turn_x @ turn_y @ turn_z)

"""Turning an annotated face out of the picture plane, to train on poses that are rare in the data.

A mesh of the mean head is laid on the picture: its depth is the mean head's, its place in the
picture the face's own, so that every annotated landmark lies where it was annotated. The mesh is
turned, rings of anchors around the head let go of it step by step, and the picture follows, nearer
parts over farther ones (after the face profiling of Zhu et al., "Face alignment across large
poses", CVPR 2016, section 5, which made 300W-LP).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from ..boxes import FloatArray, Pose, annotated
from ..errors import DataError, OptionError
from ..images import Image
from ..pose import FITTED_LANDMARKS, estimate_poses, rotation_matrix
from .head_mesh import JAW, PIVOT, HeadMesh, head_mesh

MAX_YAW_CHANGE = 45.0
MAX_PITCH_CHANGE = 30.0
MAX_YAW = 60.0
"""Degrees that no face is turned beyond unless asked: the picture hardly shows what comes into view
there. A detector, which sees a face small and coarsely, can be trained on more."""
MAX_PITCH = 40.0
MAX_YAW_TO_TURN_BACK = 10.0
"""A face that looks farther aside than this is turned only further."""


def turn_face(
    image: Image,
    points: FloatArray,
    yaw: float,
    pitch: float,
    *,
    mean_face: FloatArray | None = None,
    max_yaw: float = MAX_YAW,
) -> tuple[Image, FloatArray]:
    """Turn a face in its picture, landmarks and all.

    Parameters
    ----------
    image : array of uint8, shape (height, width)
        Gray picture of the face with its surroundings: what lies less than about 1.5 face widths
        from the middle of the face is bent along, the rest stays as it is.
    points : array, shape (68, 2)
        Landmarks of the "68" scheme in pixels of `image`; NaN = not annotated.
    yaw, pitch : float
        By how many degrees the pose is changed, with the signs of `efld_dlib.pose`; at most
        `MAX_YAW_CHANGE` and `MAX_PITCH_CHANGE` either way. The face is turned as far of that as
        its `turn_range` allows. The roll stays.
    mean_face : array, shape (68, 3), optional
        The face to fit, symmetric, with the axes of `efld_dlib.pose.mean_face_3d`, the default.
    max_yaw : float
        Yaw in degrees that the face is not turned beyond.

    Returns
    -------
    image : array of uint8, shape (height, width)
    points : array, shape (68, 2)
        NaN where the argument is. Jaw landmarks are on the outline one sees, as in 300-W: where
        the face turns away they slide over the cheek, on the near side they keep to the jaw.

    Raises
    ------
    DataError
        The pose cannot be estimated from the points.
    OptionError
        A change is too large or not a number.
    """
    for name, change, limit in (("yaw", yaw, MAX_YAW_CHANGE), ("pitch", pitch, MAX_PITCH_CHANGE)):
        if not abs(change) <= limit:
            raise OptionError(
                f"{name} must be a change of at most {limit:g} degrees, not {change!r}"
            )
    pose = Pose(*estimate_poses(points[np.newaxis], mean_face)[0].tolist())
    if not np.isfinite(pose).all():
        given = int(annotated(points).sum())
        raise DataError("<face>", f"its pose cannot be told from its {given} landmarks")
    (least_yaw, most_yaw), (least_pitch, most_pitch) = turn_range(pose, max_yaw)
    yaw, pitch = np.clip((yaw, pitch), (least_yaw, least_pitch), (most_yaw, most_pitch))
    if not yaw and not pitch:
        return image.copy(), points.copy()
    new_pose = Pose(pose.yaw + yaw, pose.pitch + pitch, pose.roll)
    return _turn(image, points, head_mesh(mean_face), pose, new_pose)


def turn_range(
    pose: Pose, max_yaw: float = MAX_YAW
) -> tuple[tuple[float, float], tuple[float, float]]:
    """How far `turn_face` turns a face.

    Parameters
    ----------
    pose : Pose
        Of the face as it is.
    max_yaw : float
        As in `turn_face`.

    Returns
    -------
    tuple of two pairs of float
        Least and greatest change of yaw, and of pitch, in degrees. A face that already looks
        aside is turned only further: the picture does not show its other side.

    Examples
    --------
    >>> turn_range(Pose(yaw=0.0, pitch=0.0, roll=0.0))
    ((-45.0, 45.0), (-30.0, 30.0))
    >>> turn_range(Pose(yaw=40.0, pitch=0.0, roll=0.0))
    ((0.0, 20.0), (-30.0, 30.0))
    """
    aside = abs(pose.yaw) > MAX_YAW_TO_TURN_BACK
    least = 0.0 if aside and pose.yaw > 0 else min(0.0, -max_yaw - pose.yaw)
    most = 0.0 if aside and pose.yaw < 0 else max(0.0, max_yaw - pose.yaw)
    yaw = max(least, -MAX_YAW_CHANGE), min(most, MAX_YAW_CHANGE)
    least, most = min(0.0, -MAX_PITCH - pose.pitch), max(0.0, MAX_PITCH - pose.pitch)
    return yaw, (max(least, -MAX_PITCH_CHANGE), min(most, MAX_PITCH_CHANGE))


def _turn(
    image: Image, points: FloatArray, head: HeadMesh, pose: Pose, new_pose: Pose
) -> tuple[Image, FloatArray]:
    before, after = rotation_matrix(pose), rotation_matrix(new_pose)
    given = annotated(points)
    # The far side is that of a face turned aside; of one about frontal, the one that turns away.
    aside = new_pose.yaw + (new_pose.yaw - pose.yaw)
    mesh = np.where(head.vertices[:, :1] * aside > 0, head.vertices, head.near)
    # What the annotated points are places of, on the mean head.
    visible, new_visible = _visible(head, mesh, pose), _visible(head, mesh, new_pose)
    known, new_known = (
        np.concatenate([places[JAW], head.face[len(JAW) :]]) for places in (visible, new_visible)
    )

    # Camera coordinates of the mean head: x, y by the affine map of least squares, z by the pose.
    fitted = FITTED_LANDMARKS[given[FITTED_LANDMARKS]]
    homogeneous = np.column_stack([head.face[fitted], np.ones(len(fitted))])
    solution = np.linalg.lstsq(homogeneous, points[fitted], rcond=None)[0]
    to_picture, origin = solution[:3].T, solution[3]
    scale = np.sqrt(np.prod(np.linalg.svd(to_picture, compute_uv=False)))
    to_camera = np.vstack([to_picture, scale * before[2]])
    own_shape = RBFInterpolator(
        known[given, :2],
        points[given] - known[given] @ to_picture.T - origin,
        kernel="linear",
        degree=0,
    )

    places = np.concatenate([mesh, visible, new_known])
    camera = places @ to_camera.T
    camera[:, :2] += own_shape(places[:, :2]) + origin
    pivot = to_camera @ PIVOT + np.append(origin, 0.0)
    turned = (camera - pivot) @ (after @ before.T).T + pivot

    size = len(mesh)
    new_points = np.where(given[:, np.newaxis], turned[2 * size :, :2], np.nan)
    for side in (JAW[:9], JAW[8:]):
        if given[side].all():
            new_points[side] = _spaced_like(points[side], new_points[side])
    target = camera[:size] + head.follow[:, np.newaxis] * (turned[:size] - camera[:size])
    return _warp(image, camera[size : 2 * size, :2], target, head.triangles), new_points


def _spaced_like(line: FloatArray, new_line: FloatArray) -> FloatArray:
    """Points of the polyline `new_line`, spaced in proportion as those of `line`; all (n, 2).

    300-W spaces the jaw's points evenly along the outline, however much of a side one sees.
    """
    lengths, new_lengths = (
        np.append(0.0, np.cumsum(np.linalg.norm(np.diff(part, axis=0), axis=1)))
        for part in (line, new_line)
    )
    wanted = lengths * (new_lengths[-1] / max(lengths[-1], 1e-9))
    return np.column_stack([np.interp(wanted, new_lengths, new_line[:, axis]) for axis in (0, 1)])


def _visible(head: HeadMesh, mesh: FloatArray, pose: Pose) -> FloatArray:
    """`mesh`, shape (v, 3), with the outline in place of the vertices it hides in `pose`."""
    outward = (head.paths[:, 0] - head.paths[:, -1])[:, :2]
    picture = head.paths @ rotation_matrix(pose._replace(roll=0.0))[:2].T
    farthest = np.einsum("skc,sc->sk", picture, outward).argmax(axis=1)
    outline = head.paths[np.arange(len(farthest)), farthest]
    visible = mesh.copy()
    visible[head.slides] = np.where(farthest[:, np.newaxis] > 0, outline, mesh[head.slides])
    return visible


def _warp(
    image: Image, source: FloatArray, target: FloatArray, triangles: NDArray[np.intp]
) -> Image:
    """Move the triangles' pixels from `source` (v, 2) to `target` (v, 3), the nearest on top."""
    corners = target[triangles]
    edges = corners[:, 1:, :2] - corners[:, :1, :2]
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    # One of the other hand has turned its back to the viewer.
    shown = np.flatnonzero(area > 1e-6)
    shown = shown[np.argsort(-corners[shown, :, 2].mean(axis=1), kind="stable")]

    # Affine maps back into the source; the first, for what no triangle covers, is the identity.
    homogeneous = np.concatenate([corners[shown, :, :2], np.ones((len(shown), 3, 1))], axis=2)
    maps = np.linalg.solve(homogeneous, source[triangles[shown]])
    identity = np.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])
    maps = np.concatenate([identity, maps]).astype(np.float32)

    owner = np.zeros(image.shape, np.int32)
    # Sub-pixel corners, with 4 bits after the point.
    for number, corner in enumerate(np.rint(corners[shown, :, :2] * 16).astype(np.int32), start=1):
        cv2.fillConvexPoly(owner, corner, number, cv2.LINE_8, 4)
    rows, columns = np.indices(image.shape, dtype=np.float32)
    map_x, map_y = (
        maps[:, 0, axis][owner] * columns + maps[:, 1, axis][owner] * rows + maps[:, 2, axis][owner]
        for axis in (0, 1)
    )
    warped: Image = cv2.remap(
        image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.uint8, copy=False)
    return warped

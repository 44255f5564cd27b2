"""A mesh of the mean head and of the background around it, which `turn` lays on a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import Delaunay

from ..boxes import BoolArray, FloatArray, Pose, annotated
from ..images import Image
from ..pose import FITTED_LANDMARKS, mean_face_3d, rotation_matrix

# All that follows is in the axes and the unit (distance of the outer eye corners) of
# `efld_dlib.pose.mean_face_3d`; of mirrored places the one with x > 0 is given.

# About here a skull turns: its outline in a frontal picture stays where it is, but for width.
PIVOT = np.array([0.0, 0.4, 0.7])

# How much nearer than the mean head's jaw the outline lies that 300-W's annotators follow, from
# landmark 8 to 0 and 16. It and the cheek's depths were fitted by hand until frontal 300-W faces,
# turned, had the mean jaw of its turned faces.
JAW_FORWARD = np.array([0.07, 0.09, 0.11, 0.14, 0.13, 0.12, 0.12, 0.14, 0.15])

# The cheek falls back to the jaw with a power of the way there from its front: a high one gives the
# outline of the cheek that turns away, a low one spares the other cheek from being drawn out of the
# few pixels at its edge.
CHEEK_FRONT = -0.03
FAR_CHEEK_POWER = 4.0
NEAR_CHEEK_POWER = 2.0
CHEEK_WIDTH = 0.4
CHEEK_STEPS = (0.04, 0.08, 0.14, 0.22, 0.30)

# Other places of the head between and around the landmarks.
SKULL = np.array(
    [
        (0.45, 0.35, -0.03), (0.73, -0.25, 0.25), (0.62, -0.55, 0.12),
        (0.00, -0.60, -0.20), (0.35, -0.60, -0.13), (0.78, -0.55, 0.45),
        (0.00, -1.00, 0.08), (0.45, -0.95, 0.18), (0.75, -0.80, 0.55),
    ]
)  # fmt: skip

# Outline of the head, and the neck under it.
OUTLINE = np.array(
    [
        (0.00, -1.35, 0.70), (0.35, -1.28, 0.72), (0.68, -1.08, 0.75), (0.90, -0.70, 0.80),
        (0.97, -0.30, 0.85), (0.98, 0.10, 0.88), (0.94, 0.50, 0.88), (0.86, 0.90, 0.85),
        (0.68, 1.22, 0.70), (0.40, 1.45, 0.50), (0.00, 1.55, 0.45),
    ]
)  # fmt: skip

# Rings outside: the outline about the pivot made larger, moved back, and how far it goes along.
RINGS = ((1.0, 0.0, 1.0), (1.35, 0.3, 0.5), (2.0, 0.6, 0.0))

GRID_STEP = 0.16
MIN_VERTEX_DISTANCE = 0.08

JAW = np.arange(17)
CONTOUR_STEPS = 40
# The outline of a turned face runs over the cheek, but never farther in than this part of the way.
CONTOUR_REACH = 0.6
# Half width and half height of the part of the face, about (0, 0.2), that no outline runs over.
INNER_FACE = (0.5, 0.7)


@dataclass(frozen=True)
class HeadMesh:
    """Mesh of the mean head and the background around it.

    Parameters
    ----------
    vertices : array, shape (v, 3)
        The mesh as it is where the head turns away; the first 68 are the mean face's landmarks.
    near : array, shape (v, 3)
        The mesh as it is where the head turns towards the viewer.
    follow : array, shape (v,)
        How far a vertex goes along with the head: 1 = wholly, 0 = it stays.
    triangles : array of int, shape (t, 3)
        Vertices of each triangle, turning alike where the triangle faces the viewer at pose 0.
    slides : array of bool, shape (v,)
        Vertices that the head itself may hide; where it does, the outline stands in for them.
    paths : array, shape (s, k, 3)
        From each vertex that slides the way over the surface towards the middle of the face. The
        first 17 are the jaw's.
    """

    vertices: FloatArray
    near: FloatArray
    follow: FloatArray
    triangles: NDArray[np.intp]
    slides: BoolArray
    paths: FloatArray


@cache
def head_mesh() -> HeadMesh:
    """The mesh for `pose.mean_face_3d`."""
    face = mean_face_3d()
    face[JAW, 2] -= JAW_FORWARD[np.abs(JAW - 8)]
    far, near = (_given_places(face, power) for power in (FAR_CHEEK_POWER, NEAR_CHEEK_POWER))
    outline = _both_sides(OUTLINE)
    rings = [PIVOT + (outline - PIVOT) * (size, size, 1) + (0, 0, back) for size, back, _ in RINGS]
    filling = _filling(far)
    vertices, near_vertices = (
        np.concatenate([places[: -len(outline)], _on_surface(places, filling), *rings])
        for places in (far, near)
    )
    follow = np.ones(len(vertices))
    follow[-len(RINGS) * len(outline) :] = np.repeat([share for *_, share in RINGS], len(outline))

    off_middle = np.abs(vertices[:, :2] - (0.0, 0.2)) > INNER_FACE
    slides = (follow == 1) & off_middle.any(axis=1)
    slides[: len(face)] = np.arange(len(face)) < len(JAW)
    steps = np.linspace(0.0, CONTOUR_REACH, CONTOUR_STEPS)
    ways = np.concatenate([_way_inwards(vertex[:2], steps) for vertex in vertices[slides]])
    paths = _on_surface(far, ways).reshape(-1, CONTOUR_STEPS, 3)
    triangles = _symmetric_triangles(vertices)
    return HeadMesh(vertices, near_vertices, follow, triangles, slides, paths)


def _given_places(face: FloatArray, cheek_power: float) -> FloatArray:
    """Places of the head's surface, shape (n, 3): landmarks, cheeks, skull and, last, outline."""
    cheeks = [_cheek(face[index], cheek_power) for index in JAW if abs(index - 8) > 2]
    return np.concatenate([face, *cheeks, _both_sides(SKULL), _both_sides(OUTLINE)])


def _on_surface(given: FloatArray, places: FloatArray) -> FloatArray:
    """`places`, shape (n, 2), with their depth on the smooth surface through `given`."""
    depth = RBFInterpolator(given[:, :2], given[:, 2], kernel="linear")
    return np.column_stack([places, depth(places)])


def _way_inwards(start: FloatArray, steps: ArrayLike) -> FloatArray:
    """Places (x, y) at fractions `steps` of the way from `start` to the middle of the face."""
    middle = np.array([0.0, np.clip(start[1], -0.6, 0.8)])
    return np.asarray(start + np.multiply.outer(np.asarray(steps), middle - start))


def _cheek(jaw: FloatArray, power: float) -> FloatArray:
    """Places on the cheek, shape (n, 3), between its front and a landmark of the jaw."""
    share = (1.0 - np.array(CHEEK_STEPS) / CHEEK_WIDTH) ** power
    depth = CHEEK_FRONT + share * (jaw[2] - CHEEK_FRONT)
    return np.column_stack([_way_inwards(jaw[:2], CHEEK_STEPS), depth])


def _both_sides(places: FloatArray) -> FloatArray:
    """Places with x >= 0, and the mirror images of those off the middle."""
    off_middle = places[places[:, 0] > 0]
    return np.concatenate([places, off_middle * (-1.0, 1.0, 1.0)[: places.shape[1]]])


def _filling(given: FloatArray) -> FloatArray:
    """Places (x, y) on a grid between those of `given`, to make the mesh round."""
    x, y = np.meshgrid(np.arange(0.0, 1.0, GRID_STEP), np.arange(-1.3, 1.5, GRID_STEP))
    grid = np.column_stack([x.ravel(), y.ravel()])
    inside = Delaunay(_both_sides(OUTLINE)[:, :2]).find_simplex(grid) >= 0
    distance = np.linalg.norm(grid[:, np.newaxis] - given[:, :2], axis=2).min(axis=1)
    return _both_sides(grid[inside & (distance > MIN_VERTEX_DISTANCE)])


def _symmetric_triangles(vertices: FloatArray) -> NDArray[np.intp]:
    """Triangles, shape (t, 3), between `vertices` as seen from in front, the same on both sides."""
    flat = vertices[:, :2]
    half = np.flatnonzero(flat[:, 0] > -1e-6)
    triangles = half[Delaunay(flat[half]).simplices]
    mirrored = flat * (-1.0, 1.0)
    partner = np.linalg.norm(flat[:, np.newaxis] - mirrored, axis=2).argmin(axis=0)
    triangles = np.concatenate([triangles, partner[triangles]])
    first, second, third = (flat[triangles[:, corner]] for corner in range(3))
    (ax, ay), (bx, by) = (second - first).T, (third - first).T
    area = ax * by - ay * bx
    triangles[area < 0] = triangles[area < 0][:, ::-1]
    return np.asarray(triangles[np.abs(area) > 1e-9])


def turn_face(
    image: Image, points: FloatArray, pose: Pose, yaw: float, pitch: float
) -> tuple[Image, FloatArray]:
    """Turn a face in its picture, landmarks and all.

    Parameters
    ----------
    image : array of uint8, shape (height, width)
        Gray picture of the face with its surroundings: what lies less than about 1.5 face widths
        from the middle of the face is bent along, the rest stays as it is.
    points : array, shape (68, 2)
        Landmarks of the "68" scheme in pixels of `image`; NaN = not annotated.
    pose : Pose
        The face's pose, as `efld_dlib.pose.estimate_pose` gives it.
    yaw, pitch : float
        By how many degrees it is changed. The roll stays.

    Returns
    -------
    image : array of uint8, shape (height, width)
    points : array, shape (68, 2)
        NaN where the argument is. Jaw landmarks are on the outline one sees, as in 300-W: where
        the face turns away they slide over the cheek, on the near side they keep to the jaw.
    """
    head, new_pose = head_mesh(), Pose(pose.yaw + yaw, pose.pitch + pitch, pose.roll)
    before, after = rotation_matrix(pose), rotation_matrix(new_pose)
    given = annotated(points)
    # The far side is that of a face turned aside; of one about frontal, the one that turns away.
    aside = new_pose.yaw + (new_pose.yaw - pose.yaw)
    mesh = np.where(head.vertices[:, :1] * aside > 0, head.vertices, head.near)
    # What the annotated points are places of, on the mean head.
    visible, new_visible = _visible(head, mesh, pose), _visible(head, mesh, new_pose)
    known, new_known = (
        np.concatenate([places[JAW], head.vertices[len(JAW) : len(points)]])
        for places in (visible, new_visible)
    )

    # Camera coordinates of the mean head: x, y by the affine map of least squares, z by the pose.
    fitted = FITTED_LANDMARKS[given[FITTED_LANDMARKS]]
    homogeneous = np.column_stack([head.vertices[fitted], np.ones(len(fitted))])
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

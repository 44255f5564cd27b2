"""Drawing a mesh: which triangle each pixel shows, and what lies between its corners."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from efld_dlib.boxes import FloatArray

SLIVER = 0.5  # square pixels, twice a triangle's area, below which it has one value
_FRACTION_BITS = 4  # OpenCV draws polygons at 1/16 pixel


@dataclass(frozen=True)
class Mesh:
    """A surface in the camera's frame.

    Parameters
    ----------
    vertices : array, shape (n, 3)
        mm, as `camera.turned` gives them.
    triangles : array of int, shape (m, 3)
        Vertices, clockwise in the picture where the outside is seen.
    normals : array, shape (n, 3)
        Unit vectors to the outside.
    texture : array, shape (n, 2)
        Each vertex' pixel in the texture.
    shade : array, shape (n,)
        Share of the light that reaches each vertex, for shadows that are known beforehand.
    """

    vertices: FloatArray
    triangles: NDArray[np.int64]
    normals: FloatArray
    texture: FloatArray
    shade: FloatArray


def join(meshes: list[Mesh]) -> Mesh:
    """One mesh of all."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate(
            [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]
        ),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.texture for mesh in meshes]),
        np.concatenate([mesh.shade for mesh in meshes]),
    )


def grid_normals(vertices: FloatArray, n_rows: int, n_columns: int) -> FloatArray:
    """Outward unit normals of a grid mesh that is stored row by row, shape (n, 3)."""
    grid = vertices.reshape(n_rows, n_columns, 3)
    down, across = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(down, across).reshape(-1, 3)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: FloatArray = normals / np.maximum(length, 1e-9)
    return unit


def rasterise(
    pixels: FloatArray, depth: FloatArray, mesh: Mesh, values: FloatArray, size: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Draw the mesh from far to near.

    Parameters
    ----------
    pixels : array, shape (n, 2)
        Where the vertices fall in the picture.
    depth : array, shape (n,)
        Their distance from the viewer.
    mesh : Mesh
        Gives the triangles.
    values : array, shape (n, k)
        What to interpolate between the vertices.
    size : tuple of int
        The picture's width and height.

    Returns
    -------
    covered : array of bool, shape (height, width)
        Pixels that show the mesh.
    interpolated : array of float32, shape (k, height, width)
        The values there, 0 elsewhere.
    """
    corners = pixels[mesh.triangles]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    width, height = size
    # Beside the picture are triangles of which all corners lie beyond the same edge.
    beyond = np.concatenate([pixels < -1, pixels > size], axis=1)
    a, b, c = mesh.triangles.T
    inside = ~(beyond[a] & beyond[b] & beyond[c]).any(axis=1)
    seen = np.flatnonzero((area > 1e-6) & inside)
    seen = seen[np.argsort(-depth[mesh.triangles[seen]].mean(axis=1), kind="stable")]

    shown = np.full((height, width), len(seen), dtype=np.int32)
    polygons = np.rint(corners[seen] * (1 << _FRACTION_BITS)).astype(np.int32)
    for number, polygon in enumerate(polygons):
        cv2.fillConvexPoly(shown, polygon, number, shift=_FRACTION_BITS)
    # Each value is a plane over its triangle: start + slope_x * x + slope_y * y.
    corner_values = values[mesh.triangles[seen]]
    rise_1 = corner_values[:, 1] - corner_values[:, 0]
    rise_2 = corner_values[:, 2] - corner_values[:, 0]
    one, two, wide = first[seen], second[seen], area[seen, np.newaxis]
    # Slivers at the outline have steep slopes, and a pixel beside one would run away on them.
    level = wide < SLIVER
    slope_x = np.where(level, 0, (rise_1 * two[:, 1:] - rise_2 * one[:, 1:]) / wide)
    slope_y = np.where(level, 0, (rise_2 * one[:, :1] - rise_1 * two[:, :1]) / wide)
    start = corner_values[:, 0] - slope_x * corners[seen, 0, :1] - slope_y * corners[seen, 0, 1:]

    # The last plane is 0 and belongs to the pixels that show nothing.
    planes = np.zeros((values.shape[1], 3, len(seen) + 1), dtype=np.float32)
    planes[..., :-1] = np.stack([slope_x.T, slope_y.T, start.T], axis=1)
    number = shown.astype(np.intp)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, np.newaxis]
    result = np.empty((values.shape[1], height, width), dtype=np.float32)
    for target, (on_x, on_y, begin) in zip(result, planes, strict=True):
        # mode="clip" spares numpy a copy; no number is out of bounds.
        on_x.take(number, out=target, mode="clip")
        target *= x
        target += on_y.take(number) * y
        target += begin.take(number)
    return shown < len(seen), result

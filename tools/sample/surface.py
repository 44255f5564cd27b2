"""The head's surface: a mesh through the control points, and the chart on which it is painted.

A place on the head is named by its direction from the head's centre in a reference head, whose
mouth and eyes stand open so that lips and lids have room on the chart. Thin-plate splines on the
sphere of directions carry the control points' positions to every other place. They are linear in
the control points: their weights are computed once and serve every head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from efld_dlib.boxes import FloatArray

from .layout import HEAD_CENTRE, angles, directions, jaw_shares, mean_controls

# The chart: degrees of azimuth and elevation that it covers, and its resolution.
CHART_AZIMUTH = 110.0
CHART_STEP = 0.3  # degrees a pixel
CHART_SIZE = (round(2 * CHART_AZIMUTH / CHART_STEP), round(180 / CHART_STEP))  # width, height

REFERENCE_GAP = 7.0  # mm between the lips of the reference head

PATH_POINTS = 48


@dataclass(frozen=True)
class Surface:
    """What all heads have in common.

    Parameters
    ----------
    reference : array, shape (68, 2)
        The landmarks' places on the chart, in its pixels.
    weights : array, shape (n_vertices, n_controls)
        ``weights @ controls`` are a head's vertices.
    path_weights : array, shape (17, PATH_POINTS, n_controls)
        The same for paths from each jaw landmark inwards, see `camera.outline`.
    triangles : array of int, shape (n_triangles, 3)
        Vertices of each triangle, in clockwise order as seen from outside.
    azimuth, elevation : array, shape (n_vertices,)
        Each vertex' direction in degrees.
    """

    reference: FloatArray
    weights: FloatArray
    path_weights: FloatArray
    triangles: NDArray[np.int64]
    azimuth: FloatArray
    elevation: FloatArray


def chart_pixels(azimuth: FloatArray, elevation: FloatArray) -> FloatArray:
    """Chart pixels, shape (..., 2), of directions in degrees."""
    return np.stack(
        [(azimuth + CHART_AZIMUTH) / CHART_STEP - 0.5, (elevation + 90) / CHART_STEP - 0.5], axis=-1
    )


@lru_cache(maxsize=1)
def head_surface() -> Surface:
    """The surface through the control points of `layout`."""
    controls = mean_controls()
    controls[:, 1] += jaw_shares() * REFERENCE_GAP
    outward = controls - HEAD_CENTRE
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    spline = RBFInterpolator(outward, np.eye(len(controls)), kernel="thin_plate_spline", degree=1)

    columns, rows = _grid_lines()
    elevation, azimuth = (grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
    landmark_angles = angles(outward[:68])
    paths = directions(*_jaw_paths(*(angle[:17] for angle in landmark_angles)))
    return Surface(
        reference=chart_pixels(*landmark_angles),
        weights=spline(directions(azimuth, elevation)),
        path_weights=spline(paths.reshape(-1, 3)).reshape(17, PATH_POINTS, -1),
        triangles=grid_triangles(len(rows), len(columns)),
        azimuth=azimuth,
        elevation=elevation,
    )


def _grid_lines() -> tuple[FloatArray, FloatArray]:
    """Azimuths and elevations of the mesh in degrees, dense where the face is."""
    side = np.concatenate([np.arange(0, 54, 1.5), np.arange(54, 105, 3), np.linspace(105, 180, 9)])
    columns = np.concatenate([-side[:0:-1], side])
    rows = np.concatenate(
        [np.linspace(-90, -42, 9), np.arange(-38, -18, 3), np.arange(-17, 58, 1.4)]
    )
    return columns, np.concatenate([rows, np.linspace(60, 90, 9)])


def grid_triangles(n_rows: int, n_columns: int) -> NDArray[np.int64]:
    """Triangles of a grid of vertices that is stored row by row, shape (n, 3)."""
    corner = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    halves = [np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)]
    return np.concatenate([half.reshape(-1, 3) for half in halves])


def _jaw_paths(azimuth: FloatArray, elevation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Directions along paths from the 17 jaw landmarks inwards, each (17, PATH_POINTS)."""
    sideways = np.abs(azimuth) / np.abs(azimuth).max()
    end_azimuth = azimuth * 0.15
    # At the ears the path runs level, from the chin it runs up to below the lip.
    end_elevation = elevation - 14.0 * (1 - sideways)
    steps = np.linspace(0, 1, PATH_POINTS)
    return (
        azimuth[:, np.newaxis] + np.outer(end_azimuth - azimuth, steps),
        elevation[:, np.newaxis] + np.outer(end_elevation - elevation, steps),
    )

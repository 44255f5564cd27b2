"""Where a head's points fall in the picture."""

from __future__ import annotations

import numpy as np

from efld_dlib.boxes import FloatArray, Pose
from efld_dlib.pose import rotation_matrix

from .layout import mean_controls
from .recipe import Shot
from .surface import Surface

# What turns in place when the pose changes and falls on the shot's `centre`, mm.
PIVOT = np.array([0.0, 45.0, 20.0])


def turned(points: FloatArray, pose: Pose) -> FloatArray:
    """Points of the head's frame, shape (..., 3) in mm, in a camera frame centred at the pivot."""
    moved: FloatArray = (points - PIVOT) @ rotation_matrix(pose).T
    return moved


def projected(points: FloatArray, shot: Shot) -> FloatArray:
    """Pixels, shape (..., 2), of `turned` points; (0, 0) is the top left pixel's centre."""
    enlargement = shot.scale * shot.distance / (shot.distance + points[..., 2:])
    pixels: FloatArray = points[..., :2] * enlargement + shot.centre
    return pixels


def landmarks(surface: Surface, controls: FloatArray, pose: Pose, shot: Shot) -> FloatArray:
    """The 68 landmarks of a head as 300-W marks them, shape (68, 2) in pixels.

    The 51 inner ones are the control points themselves, seen or hidden; the jaw's 17 follow the
    visible `outline`.
    """
    inner = projected(turned(controls[17:68], pose), shot)
    return np.concatenate([outline(surface, controls, pose, shot), inner])


def outline(surface: Surface, controls: FloatArray, pose: Pose, shot: Shot) -> FloatArray:
    """The jaw's landmarks on the outline that the picture shows, shape (17, 2) in pixels.

    In a turned head the far side of the jaw is hidden behind the cheek, and annotators mark the
    cheek's edge. Each landmark has a path on the surface, from its own place inwards; it is marked
    where the path reaches furthest outwards in the picture, which on the near side and in a
    frontal face is its own place.
    """
    paths = projected(turned(surface.path_weights @ controls, pose), shot)
    reach = np.einsum("kpc,kc->kp", paths, _outward(pose.roll))
    furthest = reach.argmax(axis=1)
    marked: FloatArray = paths[np.arange(17), furthest]
    return marked


def _outward(roll: float) -> FloatArray:
    """Directions in the picture that lead away from the face, one a jaw landmark, (17, 2)."""
    jaw = mean_controls()[:17, :2]
    along = np.gradient(jaw, axis=0)
    normals = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turn = np.radians(roll)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    outward: FloatArray = normals @ rotation.T
    return outward

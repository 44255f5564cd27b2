"""Covers drawn over faces: masks, dark glasses, hands."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from efld_dlib.boxes import FloatArray
from efld_dlib.images import Image

COVERS = ("mask", "glasses", "hand")

Seen = NDArray[np.bool_]


def cover(
    image: Image, points: FloatArray, kind: str, rng: np.random.Generator
) -> tuple[Image, Seen]:
    """A copy of an image with a face covered in part, and which landmarks the cover hides.

    Parameters
    ----------
    image : array of uint8, shape (height, width)
    points : array, shape (68, 2)
        All landmarks of the face, in pixels.
    kind : {"mask", "glasses", "hand"}
    rng : numpy.random.Generator

    Returns
    -------
    image : array of uint8, shape (height, width)
    hidden : array of bool, shape (68,)
    """
    eyes = points[45] - points[36]
    size = max(float(np.hypot(*eyes)), 1.0)
    mask = np.zeros_like(image)
    if kind == "mask":
        _draw_mask(mask, points, size, rng)
        level = rng.uniform(180, 245) if rng.random() < 0.5 else rng.uniform(20, 240)
    elif kind == "glasses":
        _draw_glasses(mask, points, size, rng)
        level = rng.uniform(5, 60)
    else:
        _draw_fingers(mask, points, size, rng)
        level = _skin(image, points) * rng.uniform(0.8, 1.2)
    columns, rows = np.rint(points).astype(np.intp).T
    inside = (columns >= 0) & (rows >= 0) & (columns < mask.shape[1]) & (rows < mask.shape[0])
    hidden = np.zeros(len(points), np.bool_)
    hidden[inside] = mask[rows[inside], columns[inside]] > 0
    return _painted(image, mask, level, size, rng), hidden


def _draw_mask(mask: Image, points: FloatArray, size: float, rng: np.random.Generator) -> None:
    share = rng.uniform(0.3, 0.9)
    top = share * points[28] + (1 - share) * points[30]
    outline = np.vstack([points[1:16], top])
    outline += rng.normal(0, 0.02 * size, outline.shape)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)


def _draw_glasses(mask: Image, points: FloatArray, size: float, rng: np.random.Generator) -> None:
    eyes = points[45] - points[36]
    degrees = float(np.degrees(np.arctan2(eyes[1], eyes[0])))
    sides = (0.56 * size * rng.uniform(0.85, 1.15), 0.4 * size * rng.uniform(0.85, 1.2))
    round_glass = rng.random() < 0.5
    for eye in (points[36:42], points[42:48]):
        x, y = map(float, eye.mean(axis=0))
        glass = ((x, y), sides, degrees)
        if round_glass:
            cv2.ellipse(mask, glass, 255, -1)
        else:
            cv2.fillPoly(mask, [np.rint(cv2.boxPoints(glass)).astype(np.int32)], 255)
    _line(mask, points[39], points[42], 0.05 * size)


def _draw_fingers(mask: Image, points: FloatArray, size: float, rng: np.random.Generator) -> None:
    tip, angle = points[rng.integers(len(points))], rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    length, width = rng.uniform(0.5, 1.0) * size, 0.17 * size * rng.uniform(0.8, 1.2)
    fingers = int(rng.integers(2, 5))
    for number in range(fingers):
        start = tip + across * (number - (fingers - 1) / 2) * width * 1.02
        _line(mask, start + along * length * 0.1 * rng.random(), start + along * 2 * length, width)


def _line(mask: Image, start: FloatArray, end: FloatArray, width: float) -> None:
    first, last = (tuple(map(int, np.rint(each))) for each in (start, end))
    cv2.line(mask, first, last, 255, max(1, round(width)))


def _skin(image: Image, points: FloatArray) -> float:
    """The gray of the nose and the cheeks."""
    columns, rows = np.rint(points[[30, 2, 14]]).astype(np.intp).T
    rows = np.clip(rows, 0, image.shape[0] - 1)
    return float(np.median(image[rows, np.clip(columns, 0, image.shape[1] - 1)]))


def _painted(
    image: Image, mask: Image, level: float, size: float, rng: np.random.Generator
) -> Image:
    """The image with uneven paint of a gray level where the mask is not 0, softly bordered."""
    coarse = rng.normal(0, 10, (6, 6)).astype(np.float32)
    uneven = cv2.resize(coarse, image.shape[::-1], interpolation=cv2.INTER_CUBIC)
    paint = level + uneven + rng.normal(0, 2, image.shape)
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    paint[edge] *= 0.85
    share = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.008 * size)).astype(np.float32) / 255
    return np.asarray(np.clip(image * (1 - share) + paint * share, 0, 255), np.uint8)

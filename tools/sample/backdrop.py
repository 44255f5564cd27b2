"""What is behind the head: a gradient, blurred shapes, or clutter."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def backdrop(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """A background, shape (height, width, 3), 0 to 255."""
    ground = _gradient(rng, width, height)
    kind = rng.integers(3)
    if kind:
        ground = _cluttered(rng, ground)
    if kind == 1:
        # Out of focus.
        ground = cv2.GaussianBlur(ground, (0, 0), float(rng.uniform(2, 10)))
    cells = rng.normal(0, 6, (height // 16 + 1, width // 16 + 1)).astype(np.float32)
    return ground + cv2.resize(cells, (width, height))[..., np.newaxis]


def _gradient(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    corners = rng.uniform(15, 235) + rng.normal(0, 18, 3) + rng.normal(0, 25, (2, 2, 3))
    return cv2.resize(corners.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def _cluttered(rng: np.random.Generator, ground: NDArray[np.float32]) -> NDArray[np.float32]:
    """`ground` with a handful of rectangles, discs, triangles and lines on it."""
    canvas = np.clip(ground, 0, 255).astype(np.uint8)
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(5, 30))):
        colour = tuple(float(value) for value in rng.uniform(10, 245) + rng.normal(0, 25, 3))
        x, y = (int(value) for value in rng.uniform(0, 1, 2) * (width, height))
        size = int(rng.uniform(0.03, 0.3) * width)
        other = (x + size, y + int(size * rng.uniform(0.3, 3)))
        match int(rng.integers(4)):
            case 0:
                cv2.rectangle(canvas, (x, y), other, colour, -1, cv2.LINE_AA)
            case 1:
                cv2.circle(canvas, (x, y), size // 2, colour, -1, cv2.LINE_AA)
            case 2:
                corners = np.array([(x, y), other, (x - size, y + size)], dtype=np.int32)
                cv2.fillConvexPoly(canvas, corners, colour, cv2.LINE_AA)
            case _:
                thickness = int(rng.integers(1, 12))
                cv2.line(canvas, (x, y), other, colour, thickness, cv2.LINE_AA)
    return canvas.astype(np.float32)

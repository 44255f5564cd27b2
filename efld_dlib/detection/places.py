"""Places of a picture where faces of one roll may be: what the windows propose."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ..annotation import FloatArray
from ..images import Image
from .frame import square_box
from .looks import BORDER
from .scales import Scales
from .verifier import Candidate
from .windows import WINDOW, find_windows


def candidates_at(
    windows: Any,
    gray: Image | Scales,
    turn: float,
    smallest: float,
    threshold: float,
    limit: int,
    border: bool = False,
) -> list[Candidate]:
    """Places of a picture where faces of about the roll `turn`, in degrees, may be.

    `border` adds `looks.BORDER` to an upright picture.
    """
    scales = gray if isinstance(gray, Scales) else Scales(gray)
    if not turn:
        share = BORDER if border else 0.0
        found = find_windows(windows, scales, smallest, threshold, share)[:limit]
        return [Candidate(window.box, 0.0) for window in found]
    # Turning the picture at the size at which it is searched takes less than at its own.
    image, step_x, step_y = scales.reduced(WINDOW / smallest)
    turned, matrix = turned_back(image, turn)
    candidates = []
    for window in find_windows(windows, Scales(turned), WINDOW, threshold)[:limit]:
        x, y = np.linalg.solve(matrix[:, :2], np.array(window.box.center) - matrix[:, 2])
        place = square_box(
            (float(x) + 0.5) * step_x - 0.5,
            (float(y) + 0.5) * step_y - 0.5,
            window.box.width * step_x,
        )
        candidates.append(Candidate(place, turn))
    return candidates


def turned_back(gray: Image, turn: float) -> tuple[Image, FloatArray]:
    """The whole picture turned counter-clockwise by `turn` degrees, and the map into it, (2, 3)."""
    height, width = gray.shape
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    # A hair less, or rounding errors would make a quarter turn a pixel larger.
    size = np.ceil(np.abs(rotation) @ [width, height] - 1e-6).astype(int)
    shift = (size - 1) / 2 - rotation @ [(width - 1) / 2, (height - 1) / 2]
    matrix = np.column_stack([rotation, shift])
    turned = cv2.warpAffine(gray, matrix, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR)
    return turned.astype(np.uint8, copy=False), matrix

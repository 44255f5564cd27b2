"""Pictures without a face, on which every detection is a false alarm."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...annotation import Box, ImageRecord
from ...detection.frame import default_box_map
from ...errors import EfldError
from ...images import IMAGE_SUFFIXES, Image, read_image, to_gray

_WITH_FACES = {"astronaut", "camera", "lfw_subset"}
_WITH_STRANGERS = frozenset(
    (
        "270814102_1.jpg",
        "281972218_2.jpg",
        "2975463532_1.jpg",
        "3029583659_1.jpg",
        "3035557812_1.jpg",
        "3035796193_1.jpg",
        "3052865023_1.jpg",
        "308315761_3.jpg",
        "3186478027_1.jpg",
        "3218990939_1.jpg",
        "397921011_2.jpg",
        "4553922208_1.jpg",
        "955659370_1.jpg",
        "image_0198.jpg",
        "image_0252.jpg",
        "image_0861.jpg",
    )
)
"""Pictures of 300-W beside whose annotated face there is another head, found by looking at the
parts of HELEN test and of the held-out tenth; none of their parts is counted as faceless."""

TEXTURE_SIDE = 480
MIN_CROP = 120
FACE_ROOM = (1.1, 1.3, 1.1)
"""What stays with a face beside, above and below the middle of its box, in widths of the box."""


def bundled_pictures() -> list[Image]:
    """scikit-image's own pictures, without those of people."""
    folder = Path(str(files("skimage.data")))
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.stem in _WITH_FACES:
            continue
        try:
            found.append(to_gray(read_image(path)))
        except EfldError:
            continue
    return found


def textures(count: int, seed: int = 1) -> list[Image]:
    """Noise of all coarsenesses, stripes and heaps of ellipses and rectangles."""
    rng = np.random.default_rng(seed)
    makers = (_noise, _stripes, _heap)
    return [makers[number % len(makers)](rng) for number in range(count)]


def _noise(rng: np.random.Generator) -> Image:
    picture = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE))
    for octave in range(1, 8):
        side = 2**octave
        coarse = rng.normal(0, rng.uniform(0.3, 1.0) * 2 ** (-0.5 * octave), (side, side))
        picture += cv2.resize(coarse, picture.shape, interpolation=cv2.INTER_CUBIC)
    return _stretched(picture)


def _stripes(rng: np.random.Generator) -> Image:
    rows, columns = np.indices((TEXTURE_SIDE, TEXTURE_SIDE))
    picture = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE))
    for _ in range(3):
        angle, period = rng.uniform(0, np.pi), rng.uniform(8, 120)
        across = np.cos(angle) * columns + np.sin(angle) * rows
        picture += rng.uniform(0.3, 1) * np.sin(2 * np.pi * across / period)
    return _stretched(picture + rng.normal(0, 0.1, picture.shape))


def _heap(rng: np.random.Generator) -> Image:
    picture = np.full((TEXTURE_SIDE, TEXTURE_SIDE), rng.uniform(0, 255))
    for _ in range(120):
        center = rng.uniform(0, TEXTURE_SIDE, 2)
        size = rng.uniform(4, 120, 2)
        shape = (center.tolist(), size.tolist(), float(rng.uniform(0, 180)))
        shade = float(rng.uniform(0, 255))
        if rng.random() < 0.5:
            cv2.ellipse(picture, shape, shade, -1)
        else:
            cv2.fillConvexPoly(picture, np.rint(cv2.boxPoints(shape)).astype(np.int32), shade)
    return _stretched(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 2)))


def _stretched(picture: NDArray[Any]) -> Image:
    low, high = picture.min(), picture.max()
    stretched: Image = np.rint(255 * (picture - low) / max(high - low, 1e-9)).astype(np.uint8)
    return stretched


def faceless_crops(record: ImageRecord, gray: Image, others: Sequence[Box]) -> list[Image]:
    """The parts beside, above and below a picture's annotated faces that hold no face.

    Parameters
    ----------
    record : ImageRecord
    gray : array of uint8, shape (height, width)
        Its picture.
    others : sequence of Box
        Where else a face may be: parts that hold the middle of one are left out.
    """
    boxes = [default_box_map().predict(face.points) for face in record.faces]
    if not boxes or record.path.name in _WITH_STRANGERS:
        return []
    sides, above, below = FACE_ROOM
    height, width = gray.shape
    left = min(box.center[0] - sides * box.width for box in boxes)
    right = max(box.center[0] + sides * box.width for box in boxes)
    top = min(box.center[1] - above * box.width for box in boxes)
    bottom = max(box.center[1] + below * box.width for box in boxes)
    cuts = (
        (0, 0, width, top),
        (0, bottom, width, height),
        (0, 0, left, height),
        (right, 0, width, height),
    )
    crops = []
    for cut in cuts:
        x0, y0, x1, y1 = np.clip(np.rint(cut), 0, [width, height, width, height]).astype(int)
        held = any(x0 <= box.center[0] < x1 and y0 <= box.center[1] < y1 for box in others)
        if min(x1 - x0, y1 - y0) >= MIN_CROP and not held:
            crops.append(np.ascontiguousarray(gray[y0:y1, x0:x1]))
    return crops

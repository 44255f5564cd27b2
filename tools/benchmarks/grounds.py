"""Grounds for composed images: scikit-image's own pictures without people, and textures."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from efld_dlib.errors import EfldError
from efld_dlib.images import IMAGE_SUFFIXES, Image, read_image, to_gray

_WITH_FACES = {"astronaut", "camera", "lfw_subset"}
TEXTURE_SIDE = 480


def bundled_pictures() -> list[Image]:
    """scikit-image's own pictures in gray, without those of people."""
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

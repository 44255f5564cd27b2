"""Training of the network that says where a face's landmarks lie roughly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..boxes import FloatArray
from ..detection.network import BOX, CROP, normalised
from ..images import Image
from ..landmarks import MIRROR_68
from .faces import Picture, SceneFace
from .fitting import Batch, Course, Fit, FitOptions
from .loss import landmark_loss
from .model import LandmarkNetwork
from .scenes import Mistake, Mistakes, Pyramid

SCORE_SHARE = 1.0
"""Weight of the score's error beside that of the landmarks."""

GROUND, BESIDE = 0.25, 0.06
"""Shares of the crops that show no face, and that show one where no detector would frame it."""

MISTAKEN = 0.7
"""Part of the crops without a face that show what the face network took for one."""

HAND_MADE = 3.0
"""How much more often a face is used whose landmarks were all set by hand, as in 300-W."""

# Spread of a detector's boxes about the true one: logarithm of the width, shift in widths, degrees.
_GROWTH, _SHIFT, _ROLL = 0.09, 0.055, 11.0
_MAX_ROLL = 60.0

_MIRROR = list(MIRROR_68)


def train_landmarks(course: Course, mistakes: Sequence[Mistake]) -> nn.Module:
    """The landmark network, trained, ready to be run.

    Parameters
    ----------
    course : Course
    mistakes : sequence of Mistake
        What the face network takes for faces: the landmark network confirms what it found.
    """
    trained, options = course.trained, course.options
    maker = CropMaker(trained, course.grounds, mistakes)
    torch.manual_seed(options.seed)
    network = LandmarkNetwork()
    mean = np.nanmean([maker.upright(number) for number in range(len(trained))], axis=0)
    network.out.bias.data[1:] = torch.from_numpy(mean.astype(np.float32).ravel())
    checkpoint = course.folder / "landmarks.pt"
    fit = Fit(network, _batches(maker, options), _loss, options, checkpoint, course.tell)
    fit.run()
    return fit.finished()


def _batches(maker: CropMaker, options: FitOptions) -> Callable[[int], Batch]:
    def make(step: int) -> Batch:
        rng = np.random.default_rng([options.seed, step])
        columns = zip(*(maker.crop(rng) for _ in range(options.batch)), strict=True)
        images, face, points, rarity = (np.stack(values) for values in columns)
        return tuple(
            torch.from_numpy(values.astype(np.float32))
            for values in (normalised(images)[:, None], face, points, rarity)
        )

    return make


def _loss(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    pixels, face, points, rarity = batch
    outputs = network(pixels.contiguous(memory_format=torch.channels_last))
    score, landmarks = landmark_loss(outputs, face, points, rarity, CROP)
    return {"total": SCORE_SHARE * score + landmarks, "score": score, "landmarks": landmarks}


class CropMaker:
    """Cuts crops as the network will see them.

    Parameters
    ----------
    pictures : sequence of Picture
    grounds : mapping of str to array of uint8, shape (height, width)
        Pictures without a face, by name.
    mistakes : sequence of Mistake
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        grounds: Mapping[str, Image],
        mistakes: Sequence[Mistake] = (),
    ) -> None:
        self.faces = [picture.faces[0] for picture in pictures]
        self._shown = [Pyramid(picture.image) for picture in pictures]
        self._grounds = [Pyramid(image) for image in grounds.values()]
        self._mistakes = Mistakes(mistakes)
        rates = np.where([picture.trusted for picture in pictures], HAND_MADE, 1.0)
        self._chances = np.cumsum(rates) / rates.sum()

    def upright(self, number: int) -> FloatArray:
        """Landmarks of a face in its own box, in widths of the crop from its middle."""
        face = self.faces[number]
        roll = float(np.nan_to_num(face.pose[2]))
        affine = placed(face.box, -roll, 0.0, (0.0, 0.0))
        return _in_crop(face.points, affine)

    def crop(
        self, rng: np.random.Generator
    ) -> tuple[Image, np.float32, NDArray[np.float32], np.float32]:
        """Pixels; 1 for a face, 0 for none, NaN for neither; landmarks; weight."""
        nowhere = np.full((68, 2), np.nan, np.float32)
        kind = rng.random()
        if kind < GROUND:
            pixels = self._ground(rng)
            return _photographed(pixels, rng), np.float32(0), nowhere, np.float32(1)
        number = int(np.searchsorted(self._chances, rng.random(), side="right"))
        number = min(number, len(self.faces) - 1)
        face = self.faces[number]
        roll = float(np.nan_to_num(face.pose[2]))
        degrees = rng.uniform(-_MAX_ROLL, _MAX_ROLL) if rng.random() < 0.12 else 0.0
        degrees += rng.normal(0, _ROLL) - roll
        beside = kind < GROUND + BESIDE
        if beside:
            growth, shift = _beside(rng)
        else:
            growth = rng.normal(0, _GROWTH)
            shift = rng.normal(0, _SHIFT, 2)
        mirror = rng.random() < 0.5
        affine = placed(face.box, degrees, growth, shift, mirror)
        pixels = self._shown[number].warped(affine, (0, 0, CROP, CROP), cv2.BORDER_CONSTANT)
        pixels = _covered(_photographed(pixels, rng), rng)
        if beside:
            return pixels, np.float32(0), nowhere, np.float32(1)
        points = _in_crop(face.points, affine)
        points = points[_MIRROR] if mirror else points
        return pixels, np.float32(1), points.astype(np.float32), np.float32(face.weight)

    def _ground(self, rng: np.random.Generator) -> Image:
        if self._mistakes and rng.random() < MISTAKEN:
            mistake = self._mistakes.draw(rng)
            growth, shift = rng.normal(0, _GROWTH), rng.normal(0, _SHIFT, 2)
            turn, mirror = rng.uniform(-30, 30), rng.random() < 0.5
            affine = placed(mistake.box, turn, growth, shift, mirror)
            image = self._grounds[mistake.ground]
            return image.warped(affine, (0, 0, CROP, CROP), cv2.BORDER_CONSTANT)
        image = self._grounds[rng.integers(len(self._grounds))]
        width = math.exp(rng.uniform(math.log(16), math.log(max(20, min(image.shape)))))
        box = np.array([*rng.uniform(0, image.shape[::-1]), width])
        affine = placed(box, rng.uniform(-30, 30), 0.0, (0.0, 0.0), rng.random() < 0.5)
        return image.warped(affine, (0, 0, CROP, CROP), cv2.BORDER_REFLECT)


def placed(
    box: FloatArray,
    degrees: float,
    growth: float,
    shift: Sequence[float] | FloatArray,
    mirror: bool = False,
) -> FloatArray:
    """The map (2, 3) into a crop that takes a box to its middle, after turning it clockwise."""
    scale = BOX / box[2] * math.exp(growth)
    cosine, sine = (scale * f(math.radians(degrees)) for f in (math.cos, math.sin))
    linear = np.array([[cosine, -sine], [sine, cosine]])
    if mirror:
        # The picture is mirrored after it was turned.
        linear[0] *= -1
    middle = (CROP - 1) / 2 + np.asarray(shift) * BOX
    return np.column_stack([linear, middle - linear @ box[:2]])


def _in_crop(points: FloatArray, affine: FloatArray) -> FloatArray:
    return (points @ affine[:, :2].T + affine[:, 2] - (CROP - 1) / 2) / CROP


def _beside(rng: np.random.Generator) -> tuple[float, FloatArray]:
    """Growth and shift of a box that no detector would give to a face."""
    growth = rng.normal(0, 0.2)
    angle = rng.uniform(0, 2 * np.pi)
    shift = rng.uniform(0.45, 0.9) * np.array([np.cos(angle), np.sin(angle)])
    if rng.random() < 0.5:
        growth = rng.choice([-1, 1]) * rng.uniform(0.6, 1.1)
        shift = shift * rng.uniform(0, 0.4)
    return float(growth), shift


def _photographed(pixels: Image, rng: np.random.Generator) -> Image:
    """What cameras and light do to a crop."""
    out: NDArray[Any] = pixels.astype(np.float32)
    if rng.random() < 0.5:
        out = 255 * (out / 255) ** np.float32(math.exp(rng.normal(0, 0.4)))
    if rng.random() < 0.5:
        mean = out.mean()
        contrast, light = math.exp(rng.normal(0, 0.35)), rng.normal(0, 15)
        out = (out - mean) * np.float32(contrast) + mean + np.float32(light)
    if rng.random() < 0.25:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.3)), np.float32)
    if rng.random() < 0.25:
        strength = rng.uniform(0.1, 0.7)
        ramp = np.linspace(1 - strength, 1 + strength, CROP, dtype=np.float32)
        ramp = ramp[::-1] if rng.random() < 0.5 else ramp
        out = out * (ramp if rng.random() < 0.7 else ramp[:, None])
    if rng.random() < 0.2:
        noise = rng.standard_normal((CROP, CROP), np.float32)
        out = out + noise * np.float32(rng.uniform(2, 12))
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def _covered(pixels: Image, rng: np.random.Generator) -> Image:
    if rng.random() < 0.35:
        width, height = rng.integers(7, 27, 2)
        x, y = rng.integers(0, CROP - width), rng.integers(0, CROP - height)
        noise = rng.uniform(0, 255, (height, width)) if rng.random() < 0.5 else rng.uniform(0, 255)
        pixels[y : y + height, x : x + width] = noise
    return pixels


def crops_of(
    pictures: Sequence[Picture], seed: int = 5
) -> tuple[NDArray[np.float32], FloatArray, list[SceneFace]]:
    """What the network sees of faces in the boxes of a detector, for measuring.

    Returns
    -------
    pixels : array, shape (n, 1, CROP, CROP)
        Normalised.
    points : array, shape (n, 68, 2)
        Landmarks in widths of the crop from its middle.
    faces : list of SceneFace
    """
    rng = np.random.default_rng(seed)
    images, points = [], []
    faces = [picture.faces[0] for picture in pictures]
    for picture, face in zip(pictures, faces, strict=True):
        degrees = rng.normal(0, 5) - float(np.nan_to_num(face.pose[2]))
        affine = placed(face.box, degrees, rng.normal(0, 0.06), rng.normal(0, 0.035, 2))
        pyramid = Pyramid(picture.image)
        images.append(pyramid.warped(affine, (0, 0, CROP, CROP), cv2.BORDER_CONSTANT))
        points.append(_in_crop(face.points, affine))
    return normalised(np.stack(images))[:, None].astype(np.float32), np.stack(points), faces

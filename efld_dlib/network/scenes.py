"""Scenes to train the face network on, composed while it is trained.

A scene shows a picture with its own face as it is, or faces pasted on pictures without one, or none
at all. Patches without a face are pasted with the same soft borders, so that a border tells
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import FloatArray
from ..images import Image
from ..landmarks import FIVE_POINTS, MIRROR_68
from .faces import Picture

SCENE = 256
"""Side of a scene in pixels."""

SMALLEST, LARGEST = 11.0, 330.0
"""Width of the box of the faces in scenes, in pixels."""

_FIVE = list(FIVE_POINTS)
_MIRROR = list(MIRROR_68)

_Window = tuple[int, int, int, int]
"""Left, top, right and bottom of a part of a scene; the last two are outside."""
_ALL: _Window = (0, 0, SCENE, SCENE)

_WHOLE, _PASTED = 0.42, 0.86
"""Scenes up to the first share show a picture as it is, up to the second pasted faces, the rest
none."""

# Larger pasted faces leave no room for the ground around them.
_LARGEST_PASTED = 200.0

_CLOSE = 80.0


@dataclass(frozen=True, eq=False)
class PlacedFace:
    """A face in a scene.

    Parameters
    ----------
    box : array, shape (3,)
        Centre (x, y) and width in pixels of the scene.
    five : array, shape (5, 2)
        The points of the paper's Table 1 in pixels of the scene; NaN = not annotated.
    pose : array, shape (3,)
        Yaw, pitch and roll in the scene, in degrees; NaN = unknown.
    weight : float
    """

    box: FloatArray
    five: FloatArray
    pose: FloatArray
    weight: float


@dataclass(eq=False)
class Scene:
    """A picture to learn from.

    Parameters
    ----------
    image : array of float32, shape (SCENE, SCENE)
        Gray, 0 to 255.
    faces : list of PlacedFace
    ignored : list of array, each of shape (3,)
        Boxes of faces that nobody annotated.
    background : bool array, shape (SCENE, SCENE)
        Where nothing but those faces can be a face; elsewhere a face may be that nobody knows of.
    """

    image: NDArray[np.float32]
    faces: list[PlacedFace] = field(default_factory=list)
    ignored: list[FloatArray] = field(default_factory=list)
    background: NDArray[np.bool_] = field(default_factory=lambda: np.ones((SCENE, SCENE), np.bool_))


class Mistake(NamedTuple):
    """What a network took for a face in a picture without one.

    Parameters
    ----------
    ground : int
        Number of the picture.
    box : array, shape (3,)
        Centre (x, y) and width in pixels of the picture.
    size : float
        The width in pixels of what the network saw.
    score : float
        Between 0 and 1.
    """

    ground: int
    box: FloatArray
    size: float
    score: float


class Mistakes:
    """Mistakes to draw from, the graver ones more often.

    Parameters
    ----------
    found : sequence of Mistake
    """

    def __init__(self, found: Sequence[Mistake] = ()) -> None:
        self.found = list(found)
        self._chances = np.cumsum([mistake.score**3 for mistake in found])

    def __bool__(self) -> bool:
        return bool(self.found)

    def draw(self, rng: np.random.Generator) -> Mistake:
        """One of them; there must be some."""
        return self.found[_draw(self._chances / self._chances[-1], rng)]


class SceneMaker:
    """Composes scenes.

    Parameters
    ----------
    pictures : sequence of Picture
        Those to train on.
    grounds : mapping of str to array of uint8, shape (height, width)
        Pictures without a face, by name.
    rates : array, shape (pictures,)
        How often each picture is used, relative to each other.
    """

    def __init__(
        self, pictures: Sequence[Picture], grounds: Mapping[str, Image], rates: FloatArray
    ) -> None:
        self.pictures = pictures
        self.grounds = [Pyramid(image) for image in grounds.values()]
        self.mistakes = Mistakes()
        """What the network took for faces in the grounds."""
        self._shown = [Pyramid(picture.image) for picture in pictures]
        self._chances = np.cumsum(rates) / np.sum(rates)
        # Pictures with much around the face can fill a scene.
        wide = np.array(
            [min(p.image.shape) > 2.6 * p.faces[0].box[2] for p in pictures], np.float64
        )
        self._wide = np.cumsum(wide) / max(wide.sum(), 1) if wide.any() else self._chances

    def scene(self, rng: np.random.Generator) -> Scene:
        """A scene at random."""
        chosen = rng.random()
        if chosen < _WHOLE:
            scene = self._whole(rng)
        else:
            scene = Scene(self.ground(rng).astype(np.float32))
            self._paste_patches(scene, rng)
            if chosen < _PASTED:
                self._paste_faces(scene, rng)
        self._cover(scene, rng)
        scene.image = _photographed(scene.image, rng)
        return scene

    def ground(self, rng: np.random.Generator, window: _Window = _ALL) -> Image:
        """A part of a picture without a face, more often of one in which the network saw one."""
        side = max(window[2] - window[0], window[3] - window[1])
        if self.mistakes and rng.random() < 0.5:
            mistake = self.mistakes.draw(rng)
            image = self.grounds[mistake.ground]
            # As large as it was seen, or of any size.
            if rng.random() < 0.7:
                width = mistake.size * math.exp(rng.normal(0, 0.2))
            else:
                width = _log_uniform(rng, 0.06, 0.7) * side
            scale = width / mistake.box[2]
            x, y = mistake.box[:2] + rng.uniform(-0.4, 0.4, 2) * side / scale
        else:
            image = self.grounds[rng.integers(len(self.grounds))]
            least = 0.7 * side / min(image.shape)
            scale = max(math.exp(rng.uniform(math.log(0.35), math.log(3.0))), least)
            x, y = rng.uniform(0, image.shape[1]), rng.uniform(0, image.shape[0])
        angle = rng.uniform(-180, 180) if rng.random() < 0.2 else rng.normal(0, 8)
        middle = (window[0] + window[2]) / 2, (window[1] + window[3]) / 2
        affine = _affine(scale, angle, (x, y), middle, rng.random() < 0.5)
        return image.warped(affine, window, cv2.BORDER_REFLECT)

    def _whole(self, rng: np.random.Generator) -> Scene:
        width = _log_uniform(rng, SMALLEST, LARGEST)
        # A picture cut closely around a face is seen whole if that is large.
        close = width > _CLOSE and rng.random() < 0.5
        number = _draw(self._chances if close else self._wide, rng)
        face = self.pictures[number].faces[0].box
        center, angle = _position(width, rng), _turn(rng)
        affine = _affine(width / face[2], angle, face[:2], center, rng.random() < 0.5)
        mask = self._shown[number].outline(affine, _ALL)
        if rng.random() < 0.5:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.5), np.uint8)
        if rng.random() < 0.6:
            scene = Scene(self.ground(rng).astype(np.float32))
        else:
            scene = Scene(np.full((SCENE, SCENE), rng.uniform(0, 255), np.float32))
        self._show(scene, number, affine, angle, mask, _ALL)
        return scene

    def _paste_faces(self, scene: Scene, rng: np.random.Generator) -> None:
        # Many faces at once are alike in size, as in a group.
        count = int(rng.choice([1, 2, 3, 4, 6, 9], p=[0.2, 0.2, 0.2, 0.15, 0.15, 0.1]))
        common = _log_uniform(rng, SMALLEST, 320 / math.sqrt(count) * 0.6)
        for _ in range(count):
            number = _draw(self._chances, rng)
            width = common * math.exp(rng.normal(0, 0.15)) if count > 3 else 0.0
            width = width or _log_uniform(rng, SMALLEST, _LARGEST_PASTED)
            place = self._free_place(scene, width, rng)
            if place is None:
                continue
            angle, reach = _turn(rng), rng.uniform(0.75, 2.0)
            face = self.pictures[number].faces[0].box
            affine = _affine(width / face[2], angle, face[:2], place, rng.random() < 0.5)
            sides = reach * width * rng.uniform(0.9, 1.2), reach * width * rng.uniform(1.1, 1.5)
            mask, window = _patch(place, sides, angle, width, rng)
            # What lies outside of the picture is not pasted.
            inside = self._shown[number].outline(affine, window)
            self._show(scene, number, affine, angle, np.minimum(mask, inside), window)

    def _free_place(
        self, scene: Scene, width: float, rng: np.random.Generator
    ) -> tuple[float, float] | None:
        for _ in range(8):
            x, y = _position(width, rng)
            taken = [face.box for face in scene.faces] + scene.ignored
            apart = rng.uniform(0.5, 1.0)
            if all(max(abs(x - b[0]), abs(y - b[1])) > apart * (width + b[2]) for b in taken):
                return x, y
        return None

    def _paste_patches(self, scene: Scene, rng: np.random.Generator) -> None:
        """Patches without a face, with the borders that pasted faces have."""
        for _ in range(rng.integers(0, 3)):
            width = _log_uniform(rng, SMALLEST, _LARGEST_PASTED)
            sides = width * rng.uniform(0.7, 2.2), width * rng.uniform(0.8, 2.8)
            mask, window = _patch(_position(width, rng), sides, _turn(rng), width, rng)
            _blend(scene.image, self.ground(rng, window), mask, window)

    def _show(
        self,
        scene: Scene,
        number: int,
        affine: FloatArray,
        angle: float,
        mask: Image,
        window: _Window,
    ) -> None:
        """Lay a picture's warped pixels over a part of a scene, and put down what it shows."""
        picture = self.pictures[number]
        pixels = self._shown[number].warped(affine, window, cv2.BORDER_REPLICATE)
        _blend(scene.image, pixels, mask, window)
        shown = np.zeros((SCENE, SCENE), np.bool_)
        shown[_slices(window)] = mask > 127
        if not picture.known:
            scene.background &= ~shown
        determinant = float(np.linalg.det(affine[:, :2]))
        mirrored, scale = determinant < 0, math.sqrt(abs(determinant))
        for face in picture.faces:
            box = np.array([*_mapped(face.box[None, :2], affine)[0], face.box[2] * scale])
            if not _is_shown(box, shown):
                continue
            points = _mapped(face.points, affine)
            points = points[_MIRROR] if mirrored else points
            pose = face.pose * [-1, 1, -1] if mirrored else face.pose
            pose = np.array([pose[0], pose[1], (pose[2] + angle + 180) % 360 - 180])
            scene.faces.append(PlacedFace(box, points[_FIVE], pose, face.weight))
        for box in picture.ignored:
            moved = np.array([*_mapped(box[None, :2], affine)[0], box[2] * scale])
            if _is_shown(moved, shown):
                scene.ignored.append(moved)

    def _cover(self, scene: Scene, rng: np.random.Generator) -> None:
        """Hide a part of some faces, as a hand, a scarf or another head would."""
        for face in scene.faces:
            if face.box[2] < 24 or rng.random() > 0.3:
                continue
            sides = rng.uniform(0.15, 0.6, 2) * face.box[2]
            x, y = face.box[:2] + rng.uniform(-0.5, 0.5, 2) * face.box[2]
            turn = float(rng.uniform(0, 180))
            mask, window = _patch((x, y), (sides[0], sides[1]), turn, sides.min(), rng)
            if rng.random() < 0.5:
                cover = self.ground(rng, window)
            else:
                cover = np.full(mask.shape, rng.uniform(0, 255)).astype(np.uint8)
            _blend(scene.image, cover, mask, window)


class Pyramid:
    """A picture and what is left of it when it is halved, again and again.

    Parameters
    ----------
    image : array of uint8, shape (height, width)
    """

    def __init__(self, image: Image) -> None:
        self.levels = [image]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.levels[0].shape
        return height, width

    def warped(self, affine: FloatArray, window: _Window, border: int) -> Image:
        """The part of a scene that an affine map (2, 3) makes of the picture."""
        scale = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
        level = max(0, math.floor(math.log2(0.9 / scale))) if scale < 0.9 else 0
        while len(self.levels) <= level and min(self.levels[-1].shape) > 3:
            height, width = self.levels[-1].shape
            half = cv2.resize(
                self.levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA
            )
            self.levels.append(np.asarray(half, np.uint8))
        image = self.levels[min(level, len(self.levels) - 1)]
        step = np.array(self.shape[::-1]) / image.shape[::-1]
        shift = affine[:, 2] + affine[:, :2] @ (step / 2 - 0.5) - window[:2]
        size = window[2] - window[0], window[3] - window[1]
        moved = np.column_stack([affine[:, :2] * step, shift])
        return cast(
            Image, cv2.warpAffine(image, moved, size, flags=cv2.INTER_LINEAR, borderMode=border)
        )

    def outline(self, affine: FloatArray, window: _Window) -> Image:
        """255 where the picture lies in a part of a scene, else 0."""
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * self.shape[::-1] - 0.5
        corners = _mapped(corners, affine) - window[:2]
        mask = np.zeros((window[3] - window[1], window[2] - window[0]), np.uint8)
        cv2.fillConvexPoly(mask, np.rint(corners).astype(np.int32), 255)
        return mask


def _slices(window: _Window) -> tuple[slice, slice]:
    return slice(window[1], window[3]), slice(window[0], window[2])


def _patch(
    center: Sequence[float],
    sides: tuple[float, float],
    degrees: float,
    width: float,
    rng: np.random.Generator,
) -> tuple[Image, _Window]:
    """Where something pasted is opaque, 0 to 255: an oval or a rectangle, often with a soft border.

    Returned with the window of the scene that this mask covers.
    """
    soft = 0.0 if rng.random() < 0.3 else min(max(0.6, width * rng.uniform(0.01, 0.06)), 6.0)
    reach = math.hypot(*sides) / 2 + 3 * soft + 1
    x, y = center
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    right, bottom = min(SCENE, int(x + reach) + 2), min(SCENE, int(y + reach) + 2)
    window = (min(left, SCENE - 1), min(top, SCENE - 1), max(right, 1), max(bottom, 1))
    mask = np.zeros((window[3] - window[1], window[2] - window[0]), np.uint8)
    shape = ((x - window[0], y - window[1]), sides, degrees)
    if rng.random() < 0.5:
        cv2.ellipse(mask, shape, 255, -1)
    else:
        cv2.fillConvexPoly(mask, np.rint(cv2.boxPoints(shape)).astype(np.int32), 255)
    if soft:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.uint8)
    return mask, window


def _draw(cumulated: FloatArray, rng: np.random.Generator) -> int:
    return int(np.searchsorted(cumulated, rng.random(), side="right").clip(0, len(cumulated) - 1))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(max(high, low * 1.01))))


def _position(width: float, rng: np.random.Generator) -> tuple[float, float]:
    """A centre at which at most about a third of the face is cut off by the edge."""
    near = 0.2 * width if width < SCENE else 0.5 * width - 0.25 * SCENE
    near = min(near, SCENE / 2)
    x, y = rng.uniform(near, SCENE - near, 2)
    return float(x), float(y)


def _turn(rng: np.random.Generator) -> float:
    return float(rng.uniform(-45, 45) if rng.random() < 0.2 else rng.normal(0, 9))


def _affine(
    scale: float,
    degrees: float,
    source: Sequence[float] | FloatArray,
    target: Sequence[float],
    mirror: bool,
) -> FloatArray:
    """The map (2, 3) that mirrors, turns clockwise and scales, and takes `source` to `target`."""
    cosine = scale * math.cos(math.radians(degrees))
    sine = scale * math.sin(math.radians(degrees))
    linear = np.array([[cosine, -sine], [sine, cosine]])
    if mirror:
        linear[:, 0] *= -1
    shift = np.asarray(target, np.float64) - linear @ np.asarray(source, np.float64)
    return np.column_stack([linear, shift])


def _mapped(points: FloatArray, affine: FloatArray) -> FloatArray:
    return points @ affine[:, :2].T + affine[:, 2]


def _blend(image: NDArray[np.float32], over: Image, mask: Image, window: _Window) -> None:
    below = image[_slices(window)]
    below += (over - below) * (mask * np.float32(1 / 255))


def _is_shown(box: FloatArray, shown: NDArray[np.bool_]) -> bool:
    """Whether enough of a box lies in the scene, and in what is shown of its picture."""
    half = box[2] / 2
    left, top = np.maximum(np.rint(box[:2] - half), 0).astype(int)
    right, bottom = np.minimum(np.rint(box[:2] + half) + 1, SCENE).astype(int)
    if right <= left or bottom <= top:
        return False
    return bool(shown[top:bottom, left:right].sum() > 0.45 * box[2] ** 2)


def _photographed(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """What cameras, light and files do to a picture."""
    image = np.clip(image, 0, 255)
    if rng.random() < 0.15:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.6)), np.float32)
    if rng.random() < 0.5:
        gamma = math.exp(rng.normal(0, 0.45))
        image = np.float32(255) * (np.clip(image, 0, 255) / np.float32(255)) ** np.float32(gamma)
    if rng.random() < 0.5:
        image = image * np.float32(math.exp(rng.normal(-0.1, 0.4))) + np.float32(rng.normal(0, 14))
    if rng.random() < 0.2:
        image = image * _shade(rng)
    if rng.random() < 0.2:
        noise = rng.standard_normal((SCENE, SCENE), np.float32)
        image = image + noise * np.float32(rng.uniform(2, 14))
    image = np.clip(image, 0, 255)
    if rng.random() < 0.15:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
        packed = cv2.imencode(".jpg", image.astype(np.uint8), quality)[1]
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32)
    return np.ascontiguousarray(image, np.float32)


def _shade(rng: np.random.Generator) -> NDArray[np.float32]:
    """Light that falls off across the picture, as of a lamp at one side or behind a head."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9)
    rows, columns = np.mgrid[0:SCENE, 0:SCENE] / SCENE - 0.5
    ramp = np.cos(angle) * columns + np.sin(angle) * rows
    return np.asarray((1 + strength * 1.4 * ramp).clip(0.05, 2), np.float32)

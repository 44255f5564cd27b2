"""A shape predictor as arrays, which the file formats read and write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ..boxes import Box, FloatArray
from ..crops import Crop, canonical_crop
from ..errors import DataError, ModelFormatError
from ..images import read_image, to_gray
from ..records import ImageRecord

Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.int32]

_BY_CASCADE = ("first", "second", "thresholds", "leaves", "anchors", "deltas")


@dataclass(frozen=True, eq=False)
class Predictor:
    """What dlib's `shape_predictor` consists of (an ensemble of regression trees).

    The shape is corrected in `cascades` rounds. In each, a pool of pixels is looked up around the
    present shape, every tree leads by its splits to one of its leaves, and the leaves are added to
    the shape. A tree is complete and in heap order: the children of split i are 2i + 1 (where
    ``pixel[first] - pixel[second] > threshold``) and 2i + 2; numbers from `splits` on are leaves.

    Parameters
    ----------
    mean_shape : array of float32, shape (points, 2)
        Where the shape starts; the face box is the unit square.
    first, second : array of int32, shape (cascades, trees, splits)
        The two pixels that a split compares, as indices into the cascade's pool.
    thresholds : array of float32, shape (cascades, trees, splits)
        In gray levels.
    leaves : array of float32, shape (cascades, trees, splits + 1, 2 * points)
        Corrections x0, y0, x1, y1, … of the shape, in units of the box.
    anchors : array of int32, shape (cascades, pool)
        The landmark next to each pixel of the pool.
    deltas : array of float32, shape (cascades, pool, 2)
        The pixel's place relative to that landmark, in units of the box.
    """

    mean_shape: Float32Array
    first: IndexArray
    second: IndexArray
    thresholds: Float32Array
    leaves: Float32Array
    anchors: IndexArray
    deltas: Float32Array

    @property
    def points(self) -> int:
        """Number of landmarks."""
        return len(self.mean_shape)

    @property
    def cascades(self) -> int:
        """Number of rounds of correction."""
        return int(self.first.shape[0])

    @property
    def trees(self) -> int:
        """Number of trees in each cascade."""
        return int(self.first.shape[1])

    @property
    def splits(self) -> int:
        """Number of splits in each tree."""
        return int(self.first.shape[2])

    @property
    def depth(self) -> int:
        """Splits on the longest way to a leaf."""
        return self.splits.bit_length()

    @property
    def pool(self) -> int:
        """Number of pixels looked up in each cascade."""
        return int(self.anchors.shape[1])

    def first_cascades(self, count: int) -> Predictor:
        """The predictor that stops after `count` cascades."""
        return replace(self, **{name: getattr(self, name)[:count] for name in _BY_CASCADE})

    def whole_thresholds(self) -> Float32Array:
        """The thresholds rounded down, which decides alike: gray levels are whole numbers.

        Their differences go from -255 to 255, so what lies further out decides as -256 or 255.
        """
        return np.clip(np.floor(self.thresholds), -256, 255)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictor):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        )


def check_predictor(predictor: Predictor, source: object) -> None:
    """Refuse what would make dlib read outside its arrays, or predict what is not a number.

    Raises
    ------
    ModelFormatError
        Names `source` and the first index or number that is wrong.
    """
    _check_finite("the mean shape", predictor.mean_shape, source)
    for cascade in range(predictor.cascades):
        place = f"of cascade {cascade}"
        for name in ("first", "second"):
            indices = getattr(predictor, name)[cascade]
            _check_below(f"split pixel {place}", indices, predictor.pool, source)
        anchors = predictor.anchors[cascade]
        _check_below(f"anchor {place}", anchors, predictor.points, source)
        for name in ("thresholds", "leaves", "deltas"):
            _check_finite(f"{name} {place}", getattr(predictor, name)[cascade], source)


def _check_below(name: str, indices: IndexArray, size: int, source: object) -> None:
    for worst in (int(indices.min()), int(indices.max())):
        if not 0 <= worst < size:
            raise ModelFormatError(str(source), f"{name} is {worst}, and there are {size}")


def _check_finite(name: str, values: Float32Array, source: object) -> None:
    # The extremes are NaN where any value is, and need no array of their own.
    if not np.isfinite([values.min(), values.max()]).all():
        raise ModelFormatError(str(source), f"has a number in {name} that is not finite")


LeafIndices = NDArray[np.int32]

# Faces whose pixels are in memory at a time.
_BATCH = 256
# How far a detector's box lies off, as standard deviations: of its place in widths of the box, and
# of the logarithm of its size.
_SHIFT, _SCALE = 0.04, 0.05


def run_cascades(
    predictor: Predictor, leaves: Float32Array, images: NDArray[np.uint8], box: Box
) -> Iterator[tuple[FloatArray, Float32Array, LeafIndices]]:
    """Correct the shapes of several faces, one cascade after the other.

    Parameters
    ----------
    predictor : Predictor
    leaves : array of float32, shape (cascades, trees, splits + 1, 2 * points)
        The predictor's, or others in their place.
    images : array of uint8, shape (faces, height, width)
        Crops of one size.
    box : Box
        The face box in all of them.

    Yields
    ------
    shapes : array, shape (faces, points, 2)
        The shapes before the cascade, in units of the box; the same array each time.
    leaves : array of float32, shape (trees, splits + 1, 2 * points)
        Those of the cascade, which correct the shapes next; they may be changed until then.
    reached : array of int32, shape (faces, trees)
        The leaf of each tree of the cascade that each face reaches.
    """
    corner, extent = _unit(box)
    shapes = np.repeat(predictor.mean_shape[None].astype(np.float64), len(images), axis=0)
    trees = np.arange(predictor.trees)
    for cascade, own in enumerate(leaves):
        reached = np.empty((len(images), predictor.trees), dtype=np.int32)
        for first in range(0, len(images), _BATCH):
            batch = slice(first, first + _BATCH)
            places = corner + extent * _pixel_places(predictor, cascade, shapes[batch])
            values = _pixels(images[batch], np.floor(places + 0.5).astype(np.int64))
            reached[batch] = _descend(predictor, cascade, values)
        yield shapes, own, reached
        for shape, indices in zip(shapes, reached, strict=True):
            shape += own[trees, indices].sum(axis=0).reshape(-1, 2)


def face_crops(
    records: Sequence[ImageRecord], variants: int, rng: np.random.Generator
) -> Iterator[tuple[Crop, FloatArray]]:
    """Crops of faces, from their own boxes and from boxes slightly beside them.

    Parameters
    ----------
    records : sequence of ImageRecord
        Faces with boxes.
    variants : int
        Crops of a face. The first is of its own box; the others are shifted and scaled by chance.
    rng : numpy.random.Generator

    Yields
    ------
    crop : Crop
    truth : array, shape (points, 2)
        The face's landmarks in units of the crop's box; NaN = not annotated.

    Raises
    ------
    DataError
        A face has no box, or a picture cannot be read.
    """
    for record in records:
        gray = to_gray(read_image(record.path))
        for face in record.faces:
            if face.box is None:
                raise DataError(record.path, "has a face without a box")
            for variant in range(variants):
                box = face.box if variant == 0 else _beside(face.box, rng)
                crop = canonical_crop(gray, box, square=False)
                corner, extent = _unit(crop.box)
                yield crop, (crop.from_photograph(face.points) - corner) / extent


def _unit(box: Box) -> tuple[FloatArray, FloatArray]:
    """Corner and sides, in pixels, of the unit square that shapes lie in: dlib's goes from the
    first to the last pixel of the box.
    """
    return np.array([box.left, box.top]), np.array([box.width - 1, box.height - 1])


def _beside(box: Box, rng: np.random.Generator) -> Box:
    """A box such as a detector might have given instead of `box`."""
    left, top = np.array([box.left, box.top]) + rng.normal(0, _SHIFT, 2) * box.width
    scale = float(np.exp(rng.normal(0, _SCALE)))
    width, height = scale * box.width, scale * box.height
    return Box(left + (box.width - width) / 2, top + (box.height - height) / 2, width, height)


def _pixel_places(predictor: Predictor, cascade: int, shapes: FloatArray) -> FloatArray:
    """Where the pool's pixels lie in the box, shape (shapes, pool, 2)."""
    mean = predictor.mean_shape - predictor.mean_shape.mean(axis=0, dtype=np.float64)
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    # Rotation and scale of the mean shape that fit each shape best (Umeyama, 1991).
    spread = max(float((mean**2).sum()), np.finfo(np.float64).tiny)
    cosine = (centred * mean).sum(axis=(1, 2)) / spread
    sine = (mean[:, 0] * centred[:, :, 1] - mean[:, 1] * centred[:, :, 0]).sum(axis=1) / spread
    x, y = predictor.deltas[cascade].astype(np.float64).T
    turned = np.stack(
        [np.outer(cosine, x) - np.outer(sine, y), np.outer(sine, x) + np.outer(cosine, y)], axis=-1
    )
    return turned + shapes[:, predictor.anchors[cascade]]


def _pixels(images: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Gray levels at `places`, black outside the pictures, shape (images, places)."""
    size = np.array(images.shape[:0:-1])
    inside = ((places >= 0) & (places < size)).all(axis=-1)
    column, row = np.moveaxis(np.clip(places, 0, size - 1), -1, 0)
    return np.where(inside, images[np.arange(len(images))[:, None], row, column], 0).astype(
        np.int32
    )


def _descend(predictor: Predictor, cascade: int, values: NDArray[np.int32]) -> LeafIndices:
    """The leaf of each tree for pixel values of shape (faces, pool): shape (faces, trees)."""
    trees = np.arange(predictor.trees)
    nodes = np.zeros((len(values), predictor.trees), dtype=np.int32)
    for _ in range(predictor.depth):
        inner = nodes < predictor.splits
        at = np.where(inner, nodes, 0)
        first = np.take_along_axis(values, predictor.first[cascade][trees, at], axis=1)
        second = np.take_along_axis(values, predictor.second[cascade][trees, at], axis=1)
        right = first - second <= predictor.thresholds[cascade][trees, at]
        nodes = np.where(inner, 2 * nodes + 1 + right, nodes).astype(np.int32)
    return nodes - np.int32(predictor.splits)

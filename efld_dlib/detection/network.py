"""The network that finds faces, run by OpenCV: all faces of an image in one pass, at any size."""

from __future__ import annotations

import lzma
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import FloatArray, RotatedBox
from ..crops import Crop, canonical_crop
from ..errors import ModelFormatError
from ..files import read_input
from ..images import Image
from ..pose import estimate_pose
from .framing import framed, is_usable

OWN_NETWORKS = Path(__file__).resolve().parent.parent / "data" / "network"
"""Folder of the package's networks and their licence."""

DETECTOR_FILE = "faces.onnx.xz"

STRIDES = (8, 16, 32)
"""Pixels from one cell of the network to the next, on each of its levels."""

CELL_OUTPUTS = 17
"""Logit of a face; shift of its box's centre (x, y) in cells and logarithm of the box's width in
cells; shifts of the five points of the paper's Table 1 in cells; yaw, pitch and roll in units of
`POSE_UNIT`."""

POSE_UNIT = 90.0
"""Degrees."""

MULTIPLE = STRIDES[-1]
"""An image is padded until its sides are multiples of this many pixels."""

PADDING = 128
"""Gray level that the network takes for nothing."""

MAX_OVERLAP = 0.3
"""Intersection over union above which two boxes are taken for one face."""

MAX_COVER = 0.6
"""Likewise, if one box covers this part of the smaller one: a part of a face that was taken for a
small face."""

_LARGEST_FILE = 64 << 20
_MOST_CANDIDATES = 3000
_NETS_KEPT = 4


class Found(NamedTuple):
    """Faces that the network found, the surest first.

    Parameters
    ----------
    boxes : array, shape (n, 3)
        Centre (x, y) and width in pixels, in the framing of dlib's frontal detector.
    scores : array, shape (n,)
        Between 0 and 1.
    points : array, shape (n, 5, 2)
        Outer corner of the left and of the right eye, tip of the nose, left and right corner of
        the mouth, in pixels. A point that the head hides may lie anywhere.
    poses : array, shape (n, 3)
        Yaw, pitch and roll in degrees (signs: `efld_dlib.pose`).
    """

    boxes: FloatArray
    scores: FloatArray
    points: FloatArray
    poses: FloatArray

    def chosen(self, which: NDArray[Any] | Sequence[int]) -> Found:
        """Those with the numbers `which`, in that order."""
        return Found(*(values[np.asarray(which, dtype=np.intp)] for values in self))

    def moved(self, step: tuple[float, float]) -> Found:
        """In pixels of the image from which the one that was searched was reduced by `step`."""
        scale = np.array(step)
        centers = (self.boxes[:, :2] + 0.5) * scale - 0.5
        boxes = np.column_stack([centers, self.boxes[:, 2] * math.sqrt(step[0] * step[1])])
        return self._replace(boxes=boxes, points=(self.points + 0.5) * scale - 0.5)

    def turned_back(self, turns: int, shape: tuple[int, ...]) -> Found:
        """In pixels of the image from which that of `shape`, (height, width), was turned.

        It was turned by quarters counterclockwise, `turns` of them.
        """
        middle = (np.array(shape[::-1]) - 1) / 2
        middle_before = middle[::-1] if turns % 2 else middle
        back = np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), turns)
        boxes, poses = self.boxes.copy(), self.poses.copy()
        boxes[:, :2] = (boxes[:, :2] - middle) @ back + middle_before
        poses[:, 2] = (poses[:, 2] + 90.0 * turns + 180.0) % 360.0 - 180.0
        points = (self.points - middle) @ back + middle_before
        return Found(boxes, self.scores, points, poses)


def decode(levels: Sequence[NDArray[np.float32]], least: float) -> Found:
    """The cells that see a face, sorted by score; many of them see the same one.

    Parameters
    ----------
    levels : sequence of arrays, each of shape (CELL_OUTPUTS, rows, columns)
        One for each of `STRIDES`.
    least : float
        Lowest score, between 0 and 1.
    """
    logit = math.log(least / (1 - least))
    rows: list[FloatArray] = []
    for stride, level in zip(STRIDES, levels, strict=True):
        y, x = np.nonzero(level[0] > logit)
        cells = level[:, y, x].T.astype(np.float64)
        here = np.column_stack([x, y])
        cells[:, 1:3] += here
        cells[:, 4:14] += np.tile(here, 5)
        cells[:, 3] = np.exp(np.clip(cells[:, 3], -10, 10))
        cells[:, 1:14] *= stride
        rows.append(cells)
    said = np.concatenate(rows)
    said = said[np.argsort(-said[:, 0], kind="stable")[:_MOST_CANDIDATES]]
    return Found(
        said[:, 1:4],
        1 / (1 + np.exp(-said[:, 0])),
        said[:, 4:14].reshape(-1, 5, 2),
        said[:, 14:17] * POSE_UNIT,
    )


def surest(found: Found) -> Found:
    """The surest of the boxes that show one face; `found` must be sorted by score."""
    width = found.boxes[:, 2]
    low = found.boxes[:, :2] - width[:, None] / 2
    high, area = low + width[:, None], width**2
    alive = np.ones(len(width), np.bool_)
    kept: list[int] = []
    for number in range(len(width)):
        if not alive[number]:
            continue
        kept.append(number)
        sides = np.minimum(high, high[number]) - np.maximum(low, low[number])
        shared = np.maximum(sides, 0).prod(axis=1)
        alive &= (shared <= MAX_OVERLAP * (area + area[number] - shared)) & (
            shared <= MAX_COVER * np.minimum(area, area[number])
        )
    return found.chosen(kept)


def joined(parts: Sequence[Found]) -> Found:
    """Several lists as one, the surest first."""
    whole = Found(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    return whole.chosen(np.argsort(-whole.scores, kind="stable"))


class Network:
    """A network run by OpenCV; it may be used in several threads at once.

    Parameters
    ----------
    source : path
        Its packed file.

    Raises
    ------
    DataError
        The file cannot be read.
    ModelFormatError
        It is damaged, or not a network that OpenCV can run.
    """

    def __init__(self, source: str | Path) -> None:
        self.source = Path(source)
        self._onnx = _unpacked(read_input(source), self.source)
        self._local = threading.local()
        self._new_net()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source,)

    def __call__(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Outputs for an input of shape (n, 1, height, width), the largest one first."""
        net, names = self._net(pixels.shape)
        net.setInput(pixels)
        outputs = [np.asarray(each, np.float32) for each in net.forward(names)]
        return sorted(outputs, key=lambda each: -each.size)

    def _net(self, shape: tuple[int, ...]) -> tuple[Any, Sequence[str]]:
        """The net of this thread for inputs of a shape: another shape would cost a new layout."""
        # OpenCV's nets hold their inputs and outputs, so that threads cannot share one.
        nets: OrderedDict[tuple[int, ...], Any] = self._local.__dict__.setdefault(
            "nets", OrderedDict()
        )
        if shape not in nets:
            full = len(nets) == _NETS_KEPT
            nets[shape] = nets.popitem(last=False)[1] if full else self._new_net()
        nets.move_to_end(shape)
        return cast("tuple[Any, Sequence[str]]", nets[shape])

    def _new_net(self) -> tuple[Any, Sequence[str]]:
        try:
            net = cv2.dnn.readNetFromONNX(np.frombuffer(self._onnx, np.uint8))
            return net, net.getUnconnectedOutLayersNames()
        except cv2.error as error:
            raise ModelFormatError(
                self.source, f"is not a network for OpenCV ({error.err})"
            ) from error


def load_network(name: str, folder: str | Path | None = None) -> Network:
    """A network of a folder, or that of the package, which is unpacked once only.

    Raises
    ------
    DataError
        There is no such file; a `ModelFormatError` if it is damaged.
    """
    return _own_network(name) if folder is None else Network(Path(folder, name))


@lru_cache
def _own_network(name: str) -> Network:
    return Network(OWN_NETWORKS / name)


def _unpacked(data: bytes, source: str | Path) -> bytes:
    # The packed file carries a checksum: OpenCV is never given a damaged network.
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        onnx = unpacker.decompress(data, _LARGEST_FILE)
    except (lzma.LZMAError, EOFError) as error:
        raise ModelFormatError(source, "is not a packed network, or damaged") from error
    if not unpacker.eof:
        raise ModelFormatError(source, "is not a packed network, or cut short")
    return onnx


def find_faces(network: Network, gray: Image, least: float) -> Found:
    """The faces of an image that are 12 to 300 pixels wide.

    Parameters
    ----------
    network : Network
        That of `DETECTOR_FILE`.
    gray : array of uint8, shape (height, width)
    least : float
        Lowest score, between 0 and 1.
    """
    height, width = gray.shape
    padded = [-(-side // MULTIPLE) * MULTIPLE for side in gray.shape]
    pixels = np.full((1, 1, *padded), PADDING, np.float32)
    pixels[0, 0, :height, :width] = gray
    levels = [level[0] for level in network(pixels)]
    if [level.shape[:1] for level in levels] != [(CELL_OUTPUTS,)] * len(STRIDES):
        raise ModelFormatError(network.source, "has other outputs than a face network")
    return surest(decode(levels, least))


LANDMARK_FILE = "landmarks.onnx.xz"

CROP = 64
"""Side in pixels of what the network sees."""

BOX = 40
"""Width of the face's box in it, in pixels."""

CROP_OUTPUTS = 137
"""The logit of a face, and x and y of 68 landmarks in widths of the crop from its middle."""

_CONTEXT = (CROP - BOX) / 2 / BOX
_LEAST_DEVIATION = 5.0
"""Added to a crop's deviation, so that noise is not drawn out of an even one."""

_LEAST_OVERLAP = 0.3


@dataclass(frozen=True)
class Look:
    """What the network says of a place.

    Parameters
    ----------
    score : float
        Logarithm of the odds that it shows a face, framed as a detector frames it.
    points : array, shape (68, 2)
        Rough landmarks in pixels of the image.
    crop : Crop
        What it saw.
    place : RotatedBox
        Where it looked.
    """

    score: float
    points: FloatArray
    crop: Crop
    place: RotatedBox

    @cached_property
    def start(self) -> RotatedBox | None:
        """Where the rough landmarks say that the face is, and its roll.

        None if they make no sense, or lie beside the place. To look once more from there gains
        nothing: on held-out faces of 300-W the error of the landmarks that start from it is 2.86 %
        either way.
        """
        roll = estimate_pose(self.points).roll
        if not np.isfinite(roll):
            return None
        box = framed(self.points, roll)
        if not (is_usable(box) and box.overlap(self.place.box) > _LEAST_OVERLAP):
            return None
        return RotatedBox(box, roll)


def normalised(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gray crops, shape (n, CROP, CROP), with mean 0 and a deviation of about 1 each."""
    pixels = crops.astype(np.float32)
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    deviation = pixels.std(axis=(1, 2), keepdims=True) + _LEAST_DEVIATION
    out: NDArray[np.float32] = (pixels - mean) / deviation
    return out


class LandmarkNetwork:
    """Looks at faces.

    Parameters
    ----------
    folder : path, optional
        Folder of another network than the package's; errors as of `load_network`.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.network = load_network(LANDMARK_FILE, folder)

    def look(self, gray: Image, place: RotatedBox) -> Look:
        """What a place shows.

        Parameters
        ----------
        gray : array of uint8, shape (height, width)
        place : RotatedBox

        Raises
        ------
        DataError
            The box is empty or not finite; a `ModelFormatError` if the network is another one.
        """
        crop = canonical_crop(gray, place.box, BOX, _CONTEXT, place.roll)
        said = self.network(normalised(crop.image[None])[:, None])[0].astype(np.float64)
        if said.shape != (1, CROP_OUTPUTS):
            raise ModelFormatError(self.network.source, "has other outputs than a landmark network")
        points = said[0, 1:].reshape(-1, 2) * CROP + (CROP - 1) / 2
        return Look(float(said[0, 0]), crop.to_photograph(points), crop, place)

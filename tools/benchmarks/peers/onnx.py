"""A landmark network in an ONNX file, run by OpenCV: exports of PFLD, MobileNet and the like."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.errors import ModelFormatError, OptionError
from efld_dlib.images import Image
from efld_dlib.landmarks import WFLW_98_TO_68

from .base import ALL_68, BoxRunner, Method, Picture, Runner, among_68

# By number of landmarks: which of the network's are which of the 68.
_SAME: dict[int, dict[int, int]] = {
    68: {index: index for index in ALL_68},
    98: dict(WFLW_98_TO_68),
}
_SETTING = re.compile(r",(\w+)=([^,=]*)$")


@dataclass(frozen=True)
class OnnxNetwork(Method):
    """A network from a square face to the landmarks' coordinates.

    Its input is a batch of one, channels first, float32 between 0 and 1. One of its outputs holds
    x and y of 68 or 98 (WFLW's) landmarks in turn, as fractions of the square.

    Parameters
    ----------
    name : str
    path : Path
    side : int
        Side of the square in pixels.
    channels : {"rgb", "bgr"}
        Order of the input's channels.
    margin : float
        Side of the square in the picture, as a multiple of the face box's larger side.
    size : int
        Number of landmarks, as `open` found it.
    """

    name: str
    path: Path
    side: int = 112
    channels: Literal["rgb", "bgr"] = "rgb"
    margin: float = 1.1
    size: int = len(ALL_68)

    @classmethod
    def parse(cls, name: str, text: str) -> OnnxNetwork:
        """The method of ``PATH[,side=112][,channels=rgb][,margin=1.1]``, opened.

        Raises
        ------
        OptionError
            A setting is unknown or out of range.
        ModelFormatError
            As `open`.
        """
        given: dict[str, str] = {}
        while match := _SETTING.search(text):
            given[match[1]] = match[2]
            text = text[: match.start()]
        unknown = given.keys() - {"side", "channels", "margin"}
        if unknown:
            raise OptionError(f"--onnx {name}: '{min(unknown)}' is none of side, channels, margin")
        try:
            side, margin = int(given.get("side", 112)), float(given.get("margin", 1.1))
        except ValueError as error:
            raise OptionError(f"--onnx {name}: {error}") from error
        if not (8 <= side <= 2048 and 0.1 <= margin <= 10):
            raise OptionError(f"--onnx {name}: side={side} or margin={margin} is out of range")
        channels = given.get("channels", "rgb")
        if channels not in ("rgb", "bgr"):
            raise OptionError(f"--onnx {name}: channels must be rgb or bgr, not '{channels}'")
        order: Literal["rgb", "bgr"] = "bgr" if channels == "bgr" else "rgb"
        return cls(name, Path(text), side, order, margin).open()

    def open(self) -> OnnxNetwork:
        """The method with its `size`, after running the network on a blank face.

        Raises
        ------
        ModelFormatError
            The file is missing, OpenCV cannot run it, or no output is one of landmarks.
        """
        outputs = self._network()(np.zeros((self.side, self.side, 3), np.uint8))
        sizes = [len(output) // 2 for output in outputs if len(output) in (2 * n for n in _SAME)]
        if len(sizes) != 1:
            numbers = ", ".join(str(len(output)) for output in outputs)
            raise ModelFormatError(
                self.path, f"has outputs of {numbers} numbers; one of 136 or 196 is needed"
            )
        return replace(self, size=sizes[0])

    @property
    def common(self) -> tuple[int, ...]:  # type: ignore[override]
        """Those of the 68 that the network gives."""
        return tuple(_SAME[self.size].values())

    def files(self) -> list[Path]:
        return [self.path]

    def load(self) -> Runner:
        network, same = self._network(), _SAME[self.size]
        own, common = list(same), tuple(same.values())

        def predict(picture: Picture, box: Box) -> FloatArray:
            square, corner, length = face_square(picture.rgb, box, self.margin, self.side)
            (answer,) = (out for out in network(square) if len(out) == 2 * self.size)
            points = answer.reshape(-1, 2).astype(np.float64) * length + corner
            return among_68(points, own, common)

        return BoxRunner(predict)

    def _network(self) -> Any:
        if not self.path.is_file():
            raise ModelFormatError(self.path, "there is no such model file")
        try:
            network = cv2.dnn.readNetFromONNX(str(self.path))
        except cv2.error as error:
            raise ModelFormatError(self.path, f"cannot be read by OpenCV ({error.err})") from error
        names = network.getUnconnectedOutLayersNames()

        def run(square: Image) -> list[FloatArray]:
            blob = cv2.dnn.blobFromImage(square, 1 / 255, swapRB=self.channels == "bgr")
            try:
                network.setInput(blob)
                return [np.ravel(output) for output in network.forward(names)]
            except cv2.error as error:
                raise ModelFormatError(
                    self.path, f"cannot be run on {self.side} x {self.side} pixels ({error.err})"
                ) from error

        return run


def face_square(
    rgb: Image, box: Box, margin: float, side: int
) -> tuple[Image, tuple[int, int], int]:
    """The face as the network wants it, black where the picture ends.

    Parameters
    ----------
    rgb : array, shape (height, width, 3)
    box : Box
        The face in it.
    margin : float
        Side of the square in the picture, as a multiple of the box's larger side.
    side : int
        Side of the result in pixels.

    Returns
    -------
    array, shape (side, side, 3)
    tuple of int
        x and y in the picture of the square's top left pixel.
    int
        The square's side in pixels of the picture.
    """
    length = max(1, round(margin * max(box.width, box.height)))
    left, top = (round(middle - (length - 1) / 2) for middle in box.center)
    square = np.zeros((length, length, 3), np.uint8)
    inside = rgb[max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)]
    if inside.size:
        y, x = max(0, -top), max(0, -left)
        square[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    smooth = cv2.INTER_AREA if length > side else cv2.INTER_LINEAR
    resized = cv2.resize(square, (side, side), interpolation=smooth)
    return resized.astype(np.uint8, copy=False), (left, top), length

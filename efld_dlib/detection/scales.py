"""A picture at several sizes, each made once: what a detector looks at again and again."""

from __future__ import annotations

from typing import cast

import cv2

from ..annotation import Box
from ..images import Image, canonical_crop, require_area


class Scales:
    """A gray picture, and its halves, made where they are asked for.

    A crop at 48 pixels of a face of 400 pixels need not read all its pixels: those of a picture
    halved thrice are their means already.

    Parameters
    ----------
    gray : array of uint8, shape (height, width)
    """

    def __init__(self, gray: Image) -> None:
        self._halves = [gray]

    @property
    def gray(self) -> Image:
        """The picture itself."""
        return self._halves[0]

    def reduced(self, scale: float) -> tuple[Image, float, float]:
        """The picture at another size.

        Parameters
        ----------
        scale : float
            Its size over that of the picture; above 1 it is enlarged.

        Returns
        -------
        image : array of uint8
        step_x, step_y : float
            Pixels of the picture to one of `image`: x = (x_image + 0.5) * step_x - 0.5.

        Examples
        --------
        >>> import numpy as np
        >>> image, step_x, step_y = Scales(np.zeros((480, 640), np.uint8)).reduced(0.25)
        >>> image.shape, step_x, step_y
        ((120, 160), 4.0, 4.0)
        """
        level = self._level(scale)
        source = self._half(level)
        height, width = source.shape
        factor = scale * 2**level
        size = max(1, round(width * factor)), max(1, round(height * factor))
        if size != (width, height):
            how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
            source = cast(Image, cv2.resize(source, size, interpolation=how))
        return source, width * 2**level / size[0], height * 2**level / size[1]

    def near(self, box: Box, face_size: int) -> tuple[Image, Box, int]:
        """The smallest half that shows a face at no less than a size.

        Parameters
        ----------
        box : Box
            The face, in the picture.
        face_size : int
            The width in pixels that is wanted.

        Returns
        -------
        image : array of uint8
        box : Box
            The face in it.
        step : int
            Pixels of the picture to one of `image`: x = (x_image + 0.5) * step - 0.5.

        Raises
        ------
        DataError
            The box is empty or not finite.
        """
        require_area(box)
        level = self._level(face_size / box.width)
        step = 2**level
        # A box is counted from the pixels' edges, so that its corner halves as its size does.
        return self._half(level), Box(*(value / step for value in box)), step

    def crop(self, box: Box, face_size: int, context: float, roll: float = 0.0) -> Image:
        """The pixels of `images.canonical_crop`, but for rounding."""
        image, near, _ = self.near(box, face_size)
        return canonical_crop(image, near, face_size, context, roll).image

    def _level(self, scale: float) -> int:
        """How often the picture may be halved for something at `scale` of it."""
        # A picture of one row cannot be halved.
        most: int = max(0, min(self.gray.shape).bit_length() - 2)
        level = 0
        while level < most and scale * 2 ** (level + 1) <= 1:
            level += 1
        return level

    def _half(self, level: int) -> Image:
        while len(self._halves) <= level:
            source = self._halves[-1]
            height, width = (side // 2 for side in source.shape)
            # Of an odd number of rows the last is left out, so that pixels are means of four.
            even = source[: 2 * height, : 2 * width]
            small = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
            self._halves.append(cast(Image, small))
        return self._halves[level]

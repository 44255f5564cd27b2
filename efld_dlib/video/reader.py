"""Frames of video files, streams and cameras, and of arrays."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from ..images import ColorOrder, Image, read_image, to_gray

VideoSource = str | Path | int | Iterable[NDArray[np.generic]]

# A single letter before the colon is a drive of Windows.
_URL = re.compile(r"[a-zA-Z][\w+.-]+://")

# A source that ends before this part of the time that it announces is damaged.
_COMPLETE = 0.9

# Damaged files state rates outside these, which no encoder accepts.
_FPS_RANGE = (0.01, 1000.0)


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video.

    Parameters
    ----------
    pixels : array of uint8, shape (height, width) or (height, width, 3)
    color : {"rgb", "bgr", "gray"}
        Order of its channels.
    number : int
        Counted from 0.
    time : float
        Seconds since the first frame, by the source's own clock.
    """

    pixels: Image
    color: ColorOrder
    number: int
    time: float

    @cached_property
    def gray(self) -> Image:
        """In 8-bit gray, shape (height, width)."""
        if self.color == "bgr":
            return cast(Image, cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY))
        return to_gray(self.pixels)

    @cached_property
    def rgb(self) -> Image:
        """In RGB, shape (height, width, 3)."""
        if self.color == "rgb":
            return self.pixels
        code = cv2.COLOR_BGR2RGB if self.color == "bgr" else cv2.COLOR_GRAY2RGB
        return cast(Image, cv2.cvtColor(self.pixels, code))


class VideoReader:
    """A video file, a stream or a camera, to be read once from its beginning.

    Parameters
    ----------
    source : path, URL or int
        An int is the number of a camera.

    Attributes
    ----------
    name : str
        What to call it.
    live : bool
        Whether it is a camera.
    fps : float
        Frames a second; 30 where the source does not tell, or tells no rate of a video.
    total : int or None
        Frames that it announces.
    cut_short : bool
        Whether it ended well before the time that it announces. Known when all is read.

    Raises
    ------
    DataError
        There is no such file or camera, or it is no video that OpenCV can read.
    """

    def __init__(self, source: str | Path | int) -> None:
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if self.live else str(source)
        if not isinstance(source, int):
            source = str(source)
            _require_file(source)
        elif not 0 <= source < 2**31:  # OpenCV takes the numbers of cameras as C's int
            raise DataError(self.name, _why_closed(source))
        with quiet_opencv():
            self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            raise DataError(self.name, _why_closed(source))
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if _FPS_RANGE[0] <= fps <= _FPS_RANGE[1] else 30.0
        total = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        known = not self.live and math.isfinite(total) and total > 0
        self.total = round(total) if known else None
        self.cut_short = False

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        """The frames in BGR.

        Raises
        ------
        DataError
            There is none.
        """
        number, last, began = 0, -math.inf, 0.0
        while True:
            with quiet_opencv():
                good, pixels = self._capture.read()
            if not good:
                break
            now = self._clock(number)
            began = now if number == 0 else began
            # Clocks of streams may jump back; time must not.
            last = max(now - began, last + 1e-6)
            if pixels.ndim == 2:
                pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
            yield Frame(pixels.astype(np.uint8, copy=False), "bgr", number, last)
            number += 1
        if not number:
            raise DataError(self.name, "has no frame that can be read")
        if self.total is not None:
            announced = self.total / self.fps
            self.cut_short = number < _COMPLETE * self.total and last < _COMPLETE * announced

    def _clock(self, number: int) -> float:
        if self.live:
            return time.monotonic()
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # Some sources, such as numbered pictures, have no clock.
        return told if math.isfinite(told) and (told > 0 or number == 0) else number / self.fps


def _why_closed(source: str | int) -> str:
    if isinstance(source, int):
        return "cannot be opened: there is no such camera, or another program uses it"
    if _URL.match(source):
        return "cannot be opened: there is no such stream, or it does not answer"
    return "is no video that can be read, or a damaged one"


def _require_file(source: str) -> None:
    """Refuse a path that is none; a percent sign may be of a pattern of numbered pictures."""
    if _URL.match(source) or "%" in source:
        return
    path = Path(source)
    if not path.exists():
        raise DataError(source, "does not exist")
    if path.is_dir():
        raise DataError(source, "is a folder, not a video")
    if path.is_file() and not path.stat().st_size:
        raise DataError(source, "is empty")


def read_frames(
    source: VideoSource, color: ColorOrder = "rgb", fps: float = 30.0
) -> Iterator[Frame]:
    """The frames of anything that is a video; see `VideoReader`.

    Parameters
    ----------
    source : path, URL, int or iterable of arrays
    color, fps
        Channel order and frames a second of arrays.

    Raises
    ------
    DataError, OptionError
        As `VideoReader` and `frame_of`; `fps` is not above 0.

    Examples
    --------
    >>> pictures = [np.zeros((48, 64, 3), np.uint8)] * 3
    >>> [(frame.number, frame.time, frame.gray.shape) for frame in read_frames(pictures, fps=2)]
    [(0, 0.0, (48, 64)), (1, 0.5, (48, 64)), (2, 1.0, (48, 64))]
    """
    if isinstance(source, (str, Path, int)):
        with VideoReader(source) as reader:
            yield from reader
        return
    if not fps > 0:
        raise OptionError(f"the frames a second must be more than 0, not {fps}")
    for number, pixels in enumerate(source):
        yield frame_of(pixels, color, number, number / fps)


def frame_of(
    pixels: NDArray[np.generic], color: ColorOrder | None, number: int = 0, time: float = 0.0
) -> Frame:
    """The frame of an array, as `efld_dlib.images.read_image` takes it.

    Raises
    ------
    DataError, OptionError
        As `read_image`.
    """
    if color == "bgr" and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        # What OpenCV gives stays as it is: bringing it into RGB is slow.
        return Frame(cast(Image, pixels), color, number, time)
    image = read_image(pixels, color)
    return Frame(image, "gray" if image.ndim == 2 else "rgb", number, time)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """A block in which neither OpenCV nor FFmpeg writes to stderr: our own message will do."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # OpenCV 5 has moved them; its typing knows neither in one place.
    log: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(0)
    try:
        yield
    finally:
        log.setLogLevel(level)

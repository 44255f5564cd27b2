"""Writing videos, and showing them in a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

from ..drawing import draw_face
from ..errors import DataError, EfldError, OptionError
from ..face import TrackedFace
from ..files import atomic_path
from ..images import Image
from .reader import Frame, quiet_opencv

CODECS = {
    ".mp4": "mp4v",
    ".m4v": "mp4v",
    ".mov": "mp4v",
    ".mkv": "mp4v",
    ".avi": "MJPG",
}
"""By the suffix of the file: what OpenCV's wheels can write."""

# Of the landmarks, by the face's id.
_COLOURS = (
    (40, 230, 90),
    (80, 170, 255),
    (255, 120, 200),
    (255, 220, 60),
    (120, 255, 255),
)

_WINDOW = "efld-dlib"
_QUIT_KEYS = (27, ord("q"))


def drawn(frame: Frame, faces: Sequence[TrackedFace]) -> Image:
    """A copy of a frame, in BGR, with its faces and their ids drawn on it."""
    picture = frame.rgb.copy()
    for face in faces:
        colour = _COLOURS[(face.id - 1) % len(_COLOURS)]
        draw_face(
            picture, face.points, face.box, face.pose, colour, f"#{face.id}", face.scheme.edges
        )
    return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


class VideoWriter:
    """A video file that is being written; the first frame says how large it is.

    Parameters
    ----------
    path : Path
        Where to write.
    target : Path
        What to call it in messages; its suffix chooses the codec.
    fps : float
    paced : bool
        Repeat and leave out frames so that they keep the time that they came at, as those of a
        camera must; otherwise each is written once.

    Raises
    ------
    OptionError
        The suffix is not in `CODECS`.
    """

    def __init__(self, path: Path, target: Path, fps: float, paced: bool = False) -> None:
        self.path, self.target, self.fps, self.paced = path, target, fps, paced
        self.codec = codec_of(target)
        self.frames = 0
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, picture: Image, time: float) -> None:
        """Write a picture in BGR that is to be seen at `time` seconds.

        Raises
        ------
        DataError
            This OpenCV has no encoder for it, or the picture has another size than the first.
        """
        size = (picture.shape[1], picture.shape[0])
        if self._writer is None:
            self._writer, self._size = self._open(size), size
        if size != self._size:
            raise DataError(self.target, f"a frame of {size} does not fit a video of {self._size}")
        times = round(time * self.fps) + 1 - self.frames if self.paced else 1
        for _ in range(times):
            self._writer.write(picture)
            self.frames += 1

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        code = cv2.VideoWriter.fourcc(*self.codec)
        with quiet_opencv():
            writer = cv2.VideoWriter(str(self.path), code, self.fps, size)
        if not writer.isOpened():
            raise DataError(
                self.target,
                f"cannot be written: this OpenCV has no encoder {self.codec} for {size[0]} x "
                f"{size[1]} pixels; try another suffix of {', '.join(CODECS)}",
            )
        return writer

    def close(self) -> None:
        """Finish the file; without this it cannot be played."""
        if self._writer is not None:
            self._writer.release()


def codec_of(target: Path) -> str:
    """The codec for a file's suffix.

    Raises
    ------
    OptionError
        No codec is known for this suffix.

    Examples
    --------
    >>> codec_of(Path("talk.MP4"))
    'mp4v'
    """
    suffix = target.suffix.lower()
    if suffix not in CODECS:
        raise OptionError(
            f"'{target}' is no video that can be written; its suffix must be one of "
            f"{', '.join(CODECS)}"
        )
    return CODECS[suffix]


@contextmanager
def open_video(target: Path, fps: float, paced: bool = False) -> Iterator[VideoWriter]:
    """A `VideoWriter` whose file appears at `target` when the block ends well.

    Raises
    ------
    DataError
        No frame was written, or the folder cannot be written to.
    OptionError
        The suffix is not in `CODECS`.
    """
    codec_of(target)  # before a file is made
    with atomic_path(target) as temporary:
        writer = VideoWriter(temporary, target, fps, paced)
        try:
            yield writer
        finally:
            writer.close()
        if not writer.frames:
            raise DataError(target, "is not written: there was no frame")


class Window:
    """A window that shows pictures as they come.

    Raises
    ------
    EfldError
        There is no screen.
    """

    def __init__(self) -> None:
        # Without a screen, Qt would abort the whole process.
        screens = ("DISPLAY", "WAYLAND_DISPLAY")
        if sys.platform.startswith("linux") and not any(map(os.environ.get, screens)):
            raise EfldError("there is no screen to show the video on (DISPLAY is not set)")

    def show(self, picture: Image) -> bool:
        """Show a picture in BGR; whether the user wants to see more of them (not: q, Esc, closed).

        Raises
        ------
        EfldError
            This OpenCV cannot show windows.
        """
        try:
            cv2.imshow(_WINDOW, picture)
            key = cv2.waitKey(1) & 0xFF
            visible = cv2.getWindowProperty(_WINDOW, cv2.WND_PROP_VISIBLE)
        except cv2.error as error:
            raise EfldError(
                "this OpenCV cannot show windows: install opencv-python, not -headless"
            ) from error
        return key not in _QUIT_KEYS and visible >= 1

    def close(self) -> None:
        """Close the window."""
        # An OpenCV without windows raises here too, in place of what `show` had to say.
        with suppress(cv2.error):
            cv2.destroyAllWindows()

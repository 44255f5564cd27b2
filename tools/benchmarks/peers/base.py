"""What every method of the benchmark can do, however it is made inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.images import Image, to_gray
from efld_dlib.landmarks import SCHEMES

ALL_68 = tuple(range(SCHEMES["68"].size))


class Picture(NamedTuple):
    """A picture in both forms, since methods differ in what they take: RGB, and 8-bit gray."""

    rgb: Image
    gray: Image

    @classmethod
    def of(cls, rgb: Image) -> Picture:
        """The picture whose RGB pixels these are."""
        return cls(rgb, to_gray(rgb))


class Runner(ABC):
    """A method that is loaded and ready."""

    @abstractmethod
    def landmarks(self, picture: Picture, box: Box) -> FloatArray | None:
        """Landmarks of one face.

        Parameters
        ----------
        picture : Picture
        box : Box
            The face, framed as dlib's frontal detector frames it.

        Returns
        -------
        array, shape (68, 2), or None
            Pixels of the picture; NaN for those of the 68 that the method has not in the same
            sense. None: it finds no face there.
        """

    @abstractmethod
    def count_faces(self, rgb: Image) -> int:
        """Run the whole pipeline, detector and landmarks, and say how many faces it found."""


class Method(ABC):
    """Something that gives landmarks: one row of the table.

    Attributes
    ----------
    name : str
        What the row is called.
    packages : tuple of str
        Distributions whose versions belong to the result.
    size : int
        Number of landmarks that it gives.
    common : tuple of int
        Those of the 68 that it gives in the same sense, and on which it is compared.
    trained_on : str
        Data set of which it has seen every face, test sets included; "" = none is known.
    notes : tuple of str
        What a reader of its figures has to know.
    """

    name: str
    packages: ClassVar[tuple[str, ...]] = ()
    size: int = len(ALL_68)
    common: tuple[int, ...] = ALL_68
    trained_on: str = ""
    notes: tuple[str, ...] = ()

    @abstractmethod
    def files(self) -> list[Path]:
        """The landmark model's files, without the detector's."""

    @abstractmethod
    def load(self) -> Runner:
        """Import what is needed and read the files.

        Raises
        ------
        EfldError
            It cannot be loaded; a foreign package may raise whatever it likes.
        """


class BoxRunner(Runner):
    """A method without a detector of its own: dlib's frontal one finds its faces.

    Parameters
    ----------
    predict : callable
        What `Runner.landmarks` is to do.
    """

    def __init__(self, predict: Callable[[Picture, Box], FloatArray | None]) -> None:
        self.predict = predict
        self.detector = FrontalDetector()

    def landmarks(self, picture: Picture, box: Box) -> FloatArray | None:
        return self.predict(picture, box)

    def count_faces(self, rgb: Image) -> int:
        picture = Picture.of(rgb)
        found = [self.predict(picture, face.box) for face in self.detector(picture.gray)]
        return sum(points is not None for points in found)


def among_68(points: FloatArray, own: list[int], common: tuple[int, ...]) -> FloatArray:
    """An array of 68 landmarks, NaN but for `common`, which are the method's points `own`."""
    placed = np.full((len(ALL_68), 2), np.nan)
    placed[list(common)] = points[own]
    return placed

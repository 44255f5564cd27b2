"""Our models, and shape predictors of others, run as a plain dlib program runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from efld_dlib.backend import load_dlib
from efld_dlib.boxes import Box, FloatArray
from efld_dlib.errors import ModelFormatError
from efld_dlib.evaluation.figures import STOCK_BYTES
from efld_dlib.images import Image
from efld_dlib.landmarker import FaceLandmarker
from efld_dlib.landmarks import FACE_68
from efld_dlib.models.efld import is_efld
from efld_dlib.models.forest import DlibPredictor
from efld_dlib.models.loading import load_predictor, model_scheme

from .base import ALL_68, BoxRunner, Method, Picture, Runner, among_68

# dlib-models' README: both were trained on "the ibug 300-W dataset", of which dlib's archive
# holds the test faces too.
STOCK_NAMES = ("shape_predictor_68_face_landmarks.dat", "shape_predictor_68_face_landmarks_GTX.dat")

# Which of the 68 a file of so many landmarks gives, in its order. dlib's 5-point file: both
# corners of the eye at the picture's right, then of the other eye, and the base of the nose
# (dlib-models' README; on HELEN's test faces each of them is nearest to the one named here).
COMMON: dict[int, tuple[int, ...]] = {68: ALL_68, 5: (45, 42, 36, 39, 33)}


def known_training_set(path: Path) -> str:
    """The data set on all of which a well-known file was trained, "" for any other file."""
    stock = path.name in STOCK_NAMES or path.stat().st_size == STOCK_BYTES
    return "300-W" if stock else ""


@dataclass(frozen=True)
class ToolkitModel(Method):
    """A model of this toolkit, run by `FaceLandmarker`: upright crops, finer than whole pixels."""

    name: str
    path: Path
    trained_on: str = ""

    @classmethod
    def open(cls, name: str, path: Path) -> ToolkitModel:
        """The method, after making sure that the file can be used.

        Raises
        ------
        ModelFormatError
            The file is missing, no model, or has not 68 landmarks.
        """
        if model_scheme(path) != FACE_68:
            raise ModelFormatError(path, "is compared by the 68 landmarks, and has others")
        return cls(name, path, known_training_set(path))

    def files(self) -> list[Path]:
        return [self.path]

    def load(self) -> Runner:
        return _ToolkitRunner(FaceLandmarker(self.path))


class _ToolkitRunner(Runner):
    def __init__(self, landmarker: FaceLandmarker) -> None:
        self.landmarker = landmarker

    def landmarks(self, picture: Picture, box: Box) -> FloatArray:
        (face,) = self.landmarker.landmarks(picture.gray, [box])
        return face.points

    def count_faces(self, rgb: Image) -> int:
        return len(self.landmarker.detect(rgb, "rgb"))


@dataclass(frozen=True)
class DlibFile(Method):
    """A shape predictor of others: the whole gray picture, the detector's box, whole pixels."""

    name: str
    path: Path
    trained_on: str = ""
    size: int = len(ALL_68)

    @classmethod
    def open(cls, name: str, path: Path) -> DlibFile:
        """The method, after making sure that the file can be compared.

        Raises
        ------
        ModelFormatError
            The file is missing, no shape predictor, or of a scheme that is not known here; or it
            is an `.efld`, which a plain dlib program cannot read.
        """
        size = DlibPredictor(load_predictor(path)).points
        if is_efld(path.read_bytes()):
            raise ModelFormatError(path, "is no .dat: name it as a MODEL, not with --dat")
        if size not in COMMON:
            known = " and ".join(map(str, COMMON))
            raise ModelFormatError(
                path, f"predicts {size} landmarks; those of files with {known} can be compared"
            )
        return cls(name, path, known_training_set(path), size)

    @property
    def common(self) -> tuple[int, ...]:  # type: ignore[override]
        """Those of the 68 that the file gives."""
        return COMMON[self.size]

    def files(self) -> list[Path]:
        return [self.path]

    def load(self) -> Runner:
        # Not our `load_predictor`, which also looks whether the file is sound and so takes longer.
        dlib = load_dlib()
        predictor, rectangle = dlib.shape_predictor(str(self.path)), dlib.rectangle
        own, common = list(range(self.size)), self.common

        def predict(picture: Picture, box: Box) -> FloatArray:
            return among_68(plain_points(predictor, rectangle, picture.gray, box), own, common)

        return BoxRunner(predict)


def plain_points(predictor: Any, rectangle: Any, image: Image, box: Box) -> FloatArray:
    """What a dlib program gets: whole pixels, shape (n, 2)."""
    left, top, right, bottom = map(round, (box.left, box.top, box.right, box.bottom))
    parts = predictor(image, rectangle(left, top, right, bottom)).parts()
    return np.array([(part.x, part.y) for part in parts], dtype=np.float64)

"""The package `face_recognition`: dlib's stock 68-point file behind a simple interface."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.errors import MissingDependencyError
from efld_dlib.images import Image

from .base import Method, Picture, Runner

_MODELS = "face_recognition_models"


@dataclass(frozen=True)
class FaceRecognition(Method):
    """`face_recognition.face_landmarks`, with its model "large"."""

    name: str = "face_recognition"
    packages = ("face_recognition", "face_recognition_models")
    trained_on: str = "300-W"
    notes: tuple[str, ...] = (
        "loads its three other networks too; its detector doubles the picture first",
    )

    def files(self) -> list[Path]:
        return [Path(import_module(_MODELS).pose_predictor_model_location())]

    def load(self) -> Runner:
        # Without its models the package ends the whole program; so they are looked for first.
        try:
            import_module(_MODELS)
        except ImportError as error:
            raise MissingDependencyError(
                f"{_MODELS} cannot be imported ({error}): pip install {_MODELS} 'setuptools<81'"
            ) from error
        return _Runner(import_module("face_recognition"))


class _Runner(Runner):
    def __init__(self, package: Any) -> None:
        self.package = package

    def landmarks(self, picture: Picture, box: Box) -> FloatArray:
        top, right, bottom, left = map(round, (box.top, box.right, box.bottom, box.left))
        (parts,) = self.package.face_landmarks(picture.rgb, [(top, right, bottom, left)])
        return in_order(parts)

    def count_faces(self, rgb: Image) -> int:
        return len(self.package.face_landmarks(rgb))


def in_order(parts: dict[str, list[tuple[int, int]]]) -> FloatArray:
    """The 68 landmarks, shape (68, 2), of the package's named parts.

    The lips come as closed outlines: each has the mouth corners, and the upper one runs back
    along its inner edge.
    """
    plain = ("chin", "left_eyebrow", "right_eyebrow", "nose_bridge", "nose_tip")
    points = [point for name in (*plain, "left_eye", "right_eye") for point in parts[name]]
    top, bottom = parts["top_lip"], parts["bottom_lip"]
    points += top[:7] + bottom[1:6] + top[7:][::-1] + bottom[8:11][::-1]
    return np.array(points, dtype=np.float64)

"""The package `face-alignment`: the FAN networks in PyTorch, 68 landmarks."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.errors import MissingDependencyError
from efld_dlib.images import Image

from .base import Method, Picture, Runner


@dataclass(frozen=True)
class FaceAlignment(Method):
    """`face_alignment.FaceAlignment` for points in the plane, on the processor.

    By itself it would download the weights of its two networks at its first use; here it is only
    run when they are there.
    """

    name: str = "face-alignment"
    packages = ("face-alignment", "torch")
    # Bulat and Tzimiropoulos, ICCV 2017: trained on 300W-LP, which is made from all of 300-W.
    trained_on: str = "300-W"
    notes: tuple[str, ...] = ("detector of the whole pipeline: its default, SFD, a network too",)

    def files(self) -> list[Path]:
        folder = Path(import_module("torch").hub.get_dir()) / "checkpoints"
        weights = sorted(folder.glob("2DFAN4-*"))
        if not weights or not any(folder.glob("s3fd-*")):
            raise MissingDependencyError(
                f"{self.name}: its weights were not found in {folder}; to let it download them, "
                "make a face_alignment.FaceAlignment in Python once"
            )
        return weights[-1:]

    def load(self) -> Runner:
        self.files()
        package, torch = import_module("face_alignment"), import_module("torch")
        torch.set_num_threads(1)
        kinds = package.LandmarksType
        # Releases before 1.4 call it _2D.
        kind = kinds.TWO_D if hasattr(kinds, "TWO_D") else kinds._2D
        return _Runner(package.FaceAlignment(kind, device="cpu"))


class _Runner(Runner):
    def __init__(self, network: Any) -> None:
        self.network = network

    def landmarks(self, picture: Picture, box: Box) -> FloatArray | None:
        corners = np.array([box.left, box.top, box.right, box.bottom])
        found = self._faces(picture.rgb, detected_faces=[corners])
        return np.asarray(found[0], dtype=np.float64) if found else None

    def count_faces(self, rgb: Image) -> int:
        return len(self._faces(rgb))

    def _faces(self, rgb: Image, **options: Any) -> list[Any]:
        # It prints a warning where it finds nothing; stdout is for the table.
        with contextlib.redirect_stdout(sys.stderr):
            found = self.network.get_landmarks_from_image(rgb, **options)
        return [] if found is None else list(found)

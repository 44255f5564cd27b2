"""MediaPipe Face Mesh: 468 points of its own definition, seven of which are among the 68."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.errors import MissingDependencyError
from efld_dlib.images import Image

from .base import Method, Picture, Runner, among_68

# Of the 68 -> of the mesh: eye corners, nose tip, mouth corners. Of the mesh's two points at the
# tip of the nose, 1 and 4, the latter is where 300-W has it (3 % and 7 % of the inter-ocular
# distance away on HELEN's test faces).
SAME = {36: 33, 39: 133, 42: 362, 45: 263, 30: 4, 48: 61, 54: 291}

# Picture given around the box on each side, as a fraction of its size: with 0.25 it is a little
# less accurate, with 1.0 it takes some other face of the picture now and then.
MARGIN = 0.5

_SOLUTION = "mediapipe.python.solutions.face_mesh"


@dataclass(frozen=True)
class FaceMesh(Method):
    """`mediapipe.solutions.face_mesh` on single pictures, without the refined iris and lips."""

    name: str = "MediaPipe Face Mesh"
    packages = ("mediapipe",)
    size: int = 468
    common: tuple[int, ...] = tuple(SAME)
    notes: tuple[str, ...] = (
        "takes no box: its own detector runs too, also for 'landmarks', on the face's surroundings",
    )

    def files(self) -> list[Path]:
        root = Path(import_module("mediapipe").__file__ or "").parent
        return [root / "modules" / "face_landmark" / "face_landmark.tflite"]

    def load(self) -> Runner:
        os.environ.setdefault("GLOG_minloglevel", "2")
        # It calls protobuf in an outdated way, which would be said with every picture.
        warnings.filterwarnings("ignore", message="SymbolDatabase", category=UserWarning)
        try:
            mesh = import_module(_SOLUTION)
        except ImportError as error:
            raise MissingDependencyError(
                f"this mediapipe has no Face Mesh ({error}): pip install mediapipe==0.10.14"
            ) from error
        return _Runner(
            mesh.FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=False)
        )


class _Runner(Runner):
    def __init__(self, mesh: Any) -> None:
        self.mesh = mesh

    def landmarks(self, picture: Picture, box: Box) -> FloatArray | None:
        rows, columns = picture.gray.shape
        space_x, space_y = MARGIN * box.width, MARGIN * box.height
        left, top = max(0, round(box.left - space_x)), max(0, round(box.top - space_y))
        right = min(columns, round(box.right + space_x) + 1)
        bottom = min(rows, round(box.bottom + space_y) + 1)
        if right <= left or bottom <= top:
            return None
        found = self._faces(np.ascontiguousarray(picture.rgb[top:bottom, left:right]))
        if not found:
            return None
        scale = np.array([right - left, bottom - top], dtype=np.float64)
        # Its coordinates run from 0 to 1 between the edges; ours count from a pixel's centre.
        points = np.array([(point.x, point.y) for point in found[0].landmark]) * scale - 0.5
        return among_68(points + [left, top], list(SAME.values()), tuple(SAME))

    def count_faces(self, rgb: Image) -> int:
        return len(self._faces(rgb))

    def _faces(self, rgb: Image) -> list[Any]:
        return list(self.mesh.process(rgb).multi_face_landmarks or ())

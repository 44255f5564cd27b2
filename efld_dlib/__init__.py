"""Facial landmarks with dlib: find faces, follow them, describe them, and train predictors.

**Detect** faces in a path, bytes, an open file, an array or a Pillow image. Each `Face` has a box,
68 landmarks in pixels, head pose in degrees, and how likely its landmarks are right.

>>> import skimage.data
>>> from efld_dlib import FaceLandmarker
>>> image = skimage.data.astronaut()
>>> landmarker = FaceLandmarker()
>>> (face,) = landmarker.detect(image, color="rgb")
>>> face.points.shape, face.part("nose").shape, face.crop(image, size=96).shape
((68, 2), (9, 2), (96, 96, 3))
>>> round(face.features()["left_eye_aspect"], 1)
0.3

**Track** the faces of a video file, a camera or a sequence of arrays; each keeps its id:

>>> for frame, faces in landmarker.track([image, image]):
...     print(frame.number, [face.id for face in faces])
0 [1]
1 [1]

**Extract** the features of many images into one table, with all cores:

>>> from efld_dlib import extract
>>> extract(["a.jpg", "b.jpg"], "features.csv")  # doctest: +SKIP

**Train** on a data set, or on an XML of yours (`read_xml`, `write_xml`):

>>> from efld_dlib import build_training_xml, open_dataset, train
>>> build_training_xml(open_dataset("300w:path/to/300w"), "training_xml")  # doctest: +SKIP
>>> train("training_xml", "nano.dat", preset="nano")  # doctest: +SKIP

**Evaluate** a model on faces that it was not trained on:

>>> from efld_dlib import evaluate
>>> records = open_dataset("300w:path/to/300w", subset="helen/testset")  # doctest: +SKIP
>>> evaluate("nano.dat", records).nme  # doctest: +SKIP
0.05

The modules have more, such as `efld_dlib.geometry`, `efld_dlib.pose`, `efld_dlib.landmarks` and
`efld_dlib.drawing`, which need no import of their own. A wrong input is an `EfldError`, whose
message names it and says what to give.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

# OpenCV reads it once, when it is imported: no image of more pixels (`images.MAX_PIXELS`) is
# unpacked. A limit of the user's own stays.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

if TYPE_CHECKING:
    from . import drawing as drawing
    from . import geometry as geometry
    from . import landmarks as landmarks
    from . import pose as pose
    from .boxes import Box as Box
    from .boxes import Pose as Pose
    from .datasets.registry import open_dataset as open_dataset
    from .detection.detectors import FrontalDetector as FrontalDetector
    from .detection.network_detector import NetworkDetector as NetworkDetector
    from .errors import EfldError as EfldError
    from .evaluation.evaluate import Evaluation as Evaluation
    from .evaluation.evaluate import evaluate as evaluate
    from .extraction.run import extract as extract
    from .extraction.settings import ExtractSettings as ExtractSettings
    from .face import Face as Face
    from .face import TrackedFace as TrackedFace
    from .geometry import features as features
    from .geometry import parse_features as parse_features
    from .images import read_image as read_image
    from .landmarker import FaceLandmarker as FaceLandmarker
    from .models.loading import load_predictor as load_predictor
    from .pose import estimate_pose as estimate_pose
    from .prepare.build import PrepareOptions as PrepareOptions
    from .prepare.build import build_training_xml as build_training_xml
    from .records import FaceAnnotation as FaceAnnotation
    from .records import ImageRecord as ImageRecord
    from .training.options import TrainingOptions as TrainingOptions
    from .training.options import preset_options as preset_options
    from .training.trainer import train as train
    from .video.smoothing import FaceSmoother as FaceSmoother
    from .video.smoothing import Smoothing as Smoothing
    from .video.tracker import FaceTracker as FaceTracker
    from .video.tracker import TrackOptions as TrackOptions
    from .xml.read import read_xml as read_xml
    from .xml.write import write_xml as write_xml

# The module of each public name, which it is imported from when first asked for: importing the
# package, and the command line's --help, does not wait for OpenCV and dlib.
_MODULES = {
    "boxes": ("Box", "Pose"),
    "datasets.registry": ("open_dataset",),
    "detection.detectors": ("FrontalDetector",),
    "detection.network_detector": ("NetworkDetector",),
    "errors": ("EfldError",),
    "evaluation.evaluate": ("Evaluation", "evaluate"),
    "extraction.run": ("extract",),
    "extraction.settings": ("ExtractSettings",),
    "face": ("Face", "TrackedFace"),
    "geometry": ("features", "parse_features"),
    "images": ("read_image",),
    "landmarker": ("FaceLandmarker",),
    "models.loading": ("load_predictor",),
    "pose": ("estimate_pose",),
    "prepare.build": ("PrepareOptions", "build_training_xml"),
    "records": ("FaceAnnotation", "ImageRecord"),
    "training.options": ("TrainingOptions", "preset_options"),
    "training.trainer": ("train",),
    "video.smoothing": ("FaceSmoother", "Smoothing"),
    "video.tracker": ("FaceTracker", "TrackOptions"),
    "xml.read": ("read_xml",),
    "xml.write": ("write_xml",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    path = f"{__name__}.{name}"
    if not name.startswith("_"):
        try:
            return import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:  # the module is there, and something that it needs is not
                raise
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)

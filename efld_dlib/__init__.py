"""Facial landmarks with dlib: data preparation, training, detection, evaluation."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

if TYPE_CHECKING:
    from .boxes import Box, Pose
    from .detection.detectors import FrontalDetector
    from .detection.network_detector import NetworkDetector
    from .errors import EfldError
    from .evaluation.evaluate import Evaluation, evaluate
    from .extraction.run import extract
    from .extraction.settings import ExtractSettings
    from .face import Face, TrackedFace
    from .geometry import features, parse_features
    from .landmarker import FaceLandmarker
    from .models.loading import load_predictor
    from .pose import estimate_pose
    from .prepare.build import PrepareOptions, build_training_xml
    from .records import FaceAnnotation, ImageRecord
    from .training.options import TrainingOptions, preset_options
    from .training.trainer import train
    from .video.smoothing import FaceSmoother, Smoothing
    from .video.tracker import FaceTracker, TrackOptions

# Where each public name is defined. They are imported when first asked for, so that importing the
# package, and the command line's --help, does not wait for OpenCV and dlib.
_HOMES = {
    "Box": "boxes",
    "FaceAnnotation": "records",
    "ImageRecord": "records",
    "Pose": "boxes",
    "FrontalDetector": "detection.detectors",
    "NetworkDetector": "detection.network_detector",
    "Face": "face",
    "FaceLandmarker": "landmarker",
    "FaceSmoother": "video.smoothing",
    "Smoothing": "video.smoothing",
    "FaceTracker": "video.tracker",
    "TrackedFace": "face",
    "TrackOptions": "video.tracker",
    "EfldError": "errors",
    "Evaluation": "evaluation.evaluate",
    "evaluate": "evaluation.evaluate",
    "ExtractSettings": "extraction.settings",
    "extract": "extraction.run",
    "features": "geometry",
    "parse_features": "geometry",
    "load_predictor": "models.loading",
    "estimate_pose": "pose",
    "PrepareOptions": "prepare.build",
    "build_training_xml": "prepare.build",
    "TrainingOptions": "training.options",
    "preset_options": "training.options",
    "train": "training.trainer",
}

__all__ = [
    "Box",
    "EfldError",
    "Evaluation",
    "ExtractSettings",
    "Face",
    "FaceAnnotation",
    "FaceLandmarker",
    "FaceSmoother",
    "FaceTracker",
    "FrontalDetector",
    "ImageRecord",
    "NetworkDetector",
    "Pose",
    "PrepareOptions",
    "Smoothing",
    "TrackOptions",
    "TrackedFace",
    "TrainingOptions",
    "__version__",
    "build_training_xml",
    "estimate_pose",
    "evaluate",
    "extract",
    "features",
    "load_predictor",
    "parse_features",
    "preset_options",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'efld_dlib' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)

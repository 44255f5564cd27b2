"""What is done to each picture, in a form that can be sent, written down and compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import __version__
from ..detection.prediction import Quality, require_quality
from ..detection.registry import make_detector
from ..errors import EfldError
from ..files import sha256
from ..geometry import Feature, parse_features
from ..landmarker import FaceLandmarker
from ..models.loading import resolve_model


@dataclass(frozen=True)
class ExtractSettings:
    """How faces are found and described; what is wrong with it, `identity` and `landmarker` say.

    Parameters
    ----------
    model : path, optional
        A 68-point model file; by default the one that comes with the package. On a cluster, each
        machine must find it there.
    features : str
        As in `efld_dlib.geometry.parse_features`.
    detector : str
        As in `efld_dlib.detection.registry.make_detector`, and so is the next.
    min_score : float, optional
        Lowest score of the detector that counts.
    min_face : str, optional
        As on the command line.
    quality : {"fast", "balanced", "best"}
        Of the landmarks.
    point_confidence : bool
        Whether each landmark gets a confidence of its own.

    Examples
    --------
    >>> settings = ExtractSettings(features="36-45,36-45/30-48", quality="fast")
    >>> [feature.name for feature in settings.chosen]
    ['d_36_45', 'r_36_45_30_48']
    """

    model: str | Path | None = None
    features: str = "default"
    detector: str = "fast"
    min_score: float | None = None
    quality: Quality = "balanced"
    min_face: str | None = None
    point_confidence: bool = False

    @cached_property
    def chosen(self) -> tuple[Feature, ...]:
        """The features, in the order of their columns."""
        return tuple(parse_features(self.features))

    def identity(self) -> dict[str, Any]:
        """All that the results depend on beside the pictures, in plain types.

        Files are told by their content: a model that was trained anew under its old name counts as
        another one.

        Raises
        ------
        EfldError
            The features, the quality or a file is invalid, which would stop every process later.
        """
        require_quality(self.quality)
        parse_features(self.features)
        stated = asdict(self)
        stated["model"] = sha256(resolve_model(self.model))
        name, file = _detector_file(self.detector)
        stated["detector"] = name if file is None else f"{name}={sha256(file)}"
        stated["program"] = __version__
        return stated

    def absolute(self) -> ExtractSettings:
        """The same for a process that stands in another folder."""
        model = None if self.model is None else str(Path(self.model).absolute())
        name, file = _detector_file(self.detector)
        detector = name if file is None else f"{name}={file.absolute()}"
        return replace(self, model=model, detector=detector)

    def landmarker(self) -> FaceLandmarker:
        """What finds the faces."""
        detector = make_detector(self.detector, self.min_score, self.min_face)
        return FaceLandmarker(
            self.model, detector, quality=self.quality, point_confidence=self.point_confidence
        )


def _detector_file(detector: str) -> tuple[str, Path | None]:
    name, _, file = detector.partition("=")
    if not file or name == "dlib":
        return detector, None
    if not Path(file).is_file():
        raise EfldError(f"{file}: there is no such file for the detector {name}")
    return name, Path(file)

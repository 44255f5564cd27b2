"""What is done to each picture, in a form that can be sent, written down and compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..detection.prediction import Quality, require_quality
from ..detection.registry import OBJECT, OBJECT_SUFFIX, about_object_detector, make_detector
from ..errors import EfldError
from ..files import sha256
from ..geometry import Feature, parse_features
from ..landmarker import FaceLandmarker, no_detector
from ..landmarks import FACE_68, Scheme, find_scheme
from ..models.loading import model_scheme, resolve_model


@dataclass(frozen=True)
class ExtractSettings:
    """How faces are found and described; what is wrong with it, `identity` and `landmarker` say.

    Parameters
    ----------
    model : path, optional
        A model file; by default the one that comes with the package, of the 68 landmarks. On a
        cluster, each machine must find it there.
    features : str
        As in `efld_dlib.geometry.parse_features`.
    detector : str, optional
        As in `efld_dlib.detection.registry.make_detector`, and so is the next; by default ``fast``
        for models of faces, and none for others.
    min_score : float, optional
        Lowest score of the detector that counts.
    min_face : str, optional
        As on the command line.
    quality : {"fast", "balanced", "best"}
        Of the landmarks.
    point_confidence : bool
        Whether each landmark gets a confidence of its own.
    scheme : str, optional
        What the model's landmarks are, as of `efld_dlib.landmarks.find_scheme`; by default what the
        model says.

    Examples
    --------
    >>> settings = ExtractSettings(features="36-45,36-45/30-48", quality="fast")
    >>> [feature.name for feature in settings.chosen()]
    ['d_36_45', 'r_36_45_30_48']
    """

    model: str | Path | None = None
    features: str = "default"
    detector: str | None = None
    min_score: float | None = None
    quality: Quality = "balanced"
    min_face: str | None = None
    point_confidence: bool = False
    scheme: str | None = None

    def chosen(self, scheme: Scheme = FACE_68) -> tuple[Feature, ...]:
        """The features of a scheme's landmarks, in the order of their columns."""
        return parse_features(self.features, scheme)

    def landmarks(self) -> Scheme:
        """What the landmarks are."""
        if self.scheme is not None:
            return find_scheme(self.scheme)
        return FACE_68 if self.model is None else model_scheme(self.model)

    def identity(self) -> dict[str, Any]:
        """All that the results depend on beside the pictures, in plain types.

        Files are told by their content: a model that was trained anew under its old name counts as
        another one.

        Raises
        ------
        EfldError
            The features, the quality or a file is invalid, or things have no detector, which would
            stop every process later.
        """
        require_quality(self.quality)
        scheme = self.landmarks()
        self.chosen(scheme)
        stated = asdict(self) | {"scheme": scheme.state()}
        stated["model"] = sha256(resolve_model(self.model))
        # As `FaceLandmarker` chooses: a run that names the default can continue one that does not.
        detector = self.detector or ("fast" if scheme.face else None)
        if detector is None:
            raise no_detector(str(self.model))
        name, file = _detector_file(detector)
        stated["detector"] = name if file is None else f"{name}={sha256(file)}"
        if file is not None and name == OBJECT:
            further, threshold = about_object_detector(file)
            stated["detector"] += f" {[sha256(each) for each in further]} {threshold}"
        stated["program"] = __version__
        return stated

    def absolute(self) -> ExtractSettings:
        """The same for a process that stands in another folder."""
        model = None if self.model is None else str(Path(self.model).absolute())
        scheme = self.scheme
        if scheme is not None and scheme.endswith(".toml"):
            scheme = str(Path(scheme).absolute())
        detector = self.detector
        if detector is not None:
            name, file = _detector_file(detector)
            detector = name if file is None else f"{name}={file.absolute()}"
        return replace(self, model=model, detector=detector, scheme=scheme)

    def landmarker(self) -> FaceLandmarker:
        """What finds the faces."""
        given = self.detector is not None
        return FaceLandmarker(
            self.model,
            make_detector(self.detector, self.min_score, self.min_face) if self.detector else None,
            quality=self.quality,
            min_face=None if given else self.min_face,
            min_score=None if given else self.min_score,
            point_confidence=self.point_confidence,
            scheme=None if self.scheme is None else find_scheme(self.scheme),
        )


def _detector_file(detector: str) -> tuple[str, Path | None]:
    name, _, file = detector.partition("=")
    if detector.endswith(OBJECT_SUFFIX):
        name, file = OBJECT, detector.removeprefix(f"{OBJECT}=")
    if not file or name == "dlib":
        return detector, None
    if not Path(file).is_file():
        raise EfldError(f"{file}: there is no such file for the detector {name}")
    return name, Path(file)

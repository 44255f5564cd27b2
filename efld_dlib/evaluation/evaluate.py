"""What an evaluation leaves behind: every face with its truth and prediction, and its error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ..boxes import BoolArray, Box, FloatArray, annotated
from ..crops import FACE_SIZE, canonical_crop
from ..detection.detectors import Detection, Detector
from ..detection.framing import MIN_POINTS, default_box_map, match_detections
from ..detection.prediction import SEEN, Quality, require_quality
from ..detection.registry import make_detector
from ..errors import DataError, EfldError, OptionError, Problems
from ..images import Image, read_image, to_gray
from ..landmarker import FaceLandmarker
from ..landmarks import FACE_68, Scheme, correspondence, numbered_scheme
from ..models.forest import CropPredictor, DlibPredictor
from ..models.loading import load_predictor, model_scheme
from ..parallel import parallel_map, progress, resolve_jobs
from ..pose import face_poses
from ..records import FaceAnnotation, ImageRecord, convert_face, convert_points
from .metrics import (
    area_shares,
    failures,
    mean_given,
    normalised_mean_errors,
    normaliser_title,
    usual_normaliser,
)


@dataclass(frozen=True)
class FaceResult:
    """One annotated face and what the model made of it.

    Parameters
    ----------
    path : Path
        The picture.
    truth : array, shape (n, 2)
    predicted : array, shape (n, 2), or None
        None = the detector missed the face; NaN = a landmark that a model does not have.
    box : Box, optional
        Where the predictor started from.
    face : FaceAnnotation, optional
        The face as its data set has it, in its own scheme.
    """

    path: Path
    truth: FloatArray
    predicted: FloatArray | None
    box: Box | None = None
    face: FaceAnnotation | None = None


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model on a set of faces; errors are fractions of the inter-ocular distance,
    or of another scheme's normaliser.

    Parameters
    ----------
    results : sequence of FaceResult
        Every face, in the order of the data; at least one.
    model : Path, optional
        The model's file.
    name : str
        What to call the model.
    scheme : Scheme
        Of the landmarks, true and predicted.

    Attributes
    ----------
    faces, missed : int
        Annotated faces, and those that the detector did not find.
    nme : float
        Mean error of the found faces.
    auc, failures : float
        Area under the CED and failure rate at 0.08 over all faces, a missed one being a failure.
    errors : array, shape (faces,)
        Error of each face; infinite for a missed face, NaN where the truth lacks an eye corner.
    """

    results: Sequence[FaceResult]
    model: Path | None = None
    name: str = ""
    scheme: Scheme = FACE_68

    def __str__(self) -> str:
        return (
            f"faces {self.faces}, missed {self.missed}\n"
            f"NME ({normaliser_title(self.by, self.scheme)}, found faces) {100 * self.nme:.2f} %\n"
            f"AUC at 0.08 (all faces) {self.auc:.3f}\n"
            f"failure rate at 0.08 (all faces, missed ones included) {100 * self.failures:.1f} %"
        )

    @property
    def faces(self) -> int:
        return len(self.results)

    @property
    def missed(self) -> int:
        return int((~self.found).sum())

    @property
    def by(self) -> str:
        """The usual normaliser."""
        return usual_normaliser(self.scheme)

    @cached_property
    def errors(self) -> FloatArray:
        return self.errors_by(self.by)

    @property
    def nme(self) -> float:
        return float(mean_given(self.errors))

    @property
    def auc(self) -> float:
        return float(mean_given(area_shares(self.errors)))

    @property
    def failures(self) -> float:
        return float(mean_given(failures(self.errors)))

    @property
    def truth(self) -> FloatArray:
        """True landmarks of every face, shape (faces, n, 2)."""
        return np.array([result.truth for result in self.results])

    @property
    def predicted(self) -> FloatArray:
        """Predicted landmarks of every face, shape (faces, n, 2); NaN for a missed one."""
        missed = np.full((self.scheme.size, 2), np.nan)
        found = [result.predicted for result in self.results]
        return np.array([missed if points is None else points for points in found])

    @property
    def found(self) -> BoolArray:
        """Which faces the model was run on, shape (faces,)."""
        return np.array([result.predicted is not None for result in self.results])

    @property
    def poses(self) -> FloatArray:
        """Yaw, pitch and roll of each face as `pose.face_poses` gives them, shape (faces, 3)."""
        return face_poses(
            [
                FaceAnnotation(
                    each.truth, scheme=self.scheme, pose=each.face.pose if each.face else None
                )
                for each in self.results
            ]
        )

    def errors_by(self, by: str, landmarks: Sequence[int] | None = None) -> FloatArray:
        """Errors with another normaliser or of some landmarks, marked as `errors` are."""
        errors = normalised_mean_errors(self.predicted, self.truth, by, landmarks, self.scheme)
        return np.where(self.found, errors, np.inf)


Boxes = Literal["detector", "pipeline", "ground-truth", "file"]
"""Where the predictor starts: from what dlib's detector finds, as in a plain dlib program; from
what `FaceLandmarker` finds, with all that it does about landmarks; from the box that the detector
would give for the true landmarks, so that no face is missed; or from the boxes in the records, as
for the crops that `prepare` makes."""


def evaluate(
    model: str | Path,
    records: Iterable[ImageRecord],
    boxes: Boxes = "pipeline",
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
    quality: Quality = "balanced",
    detector: str | None = None,
) -> Evaluation:
    """Predict every annotated face and measure the error.

    Parameters
    ----------
    model : path
        A predictor of any landmarks that the data has.
    records : iterable of ImageRecord
        The annotated faces.
    boxes : {"pipeline", "detector", "ground-truth", "file"}
        Where the landmarks start, see `Boxes`; by default as `FaceLandmarker` finds them.
    jobs : int, optional
        Number of processes; by default one a core.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.
    show_progress : bool
        A progress bar on stderr.
    quality : {"fast", "balanced", "best"}
        Of the landmarks of the pipeline.
    detector : str, optional
        Of the pipeline, as `detection.registry.make_detector` takes it; by default ``fast``, which
        finds faces.

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelFormatError
        The model cannot be used.
    DataError
        There is no face to evaluate on.
    OptionError
        There is no such way to find boxes.
    """
    models = {Path(model).stem: Path(model)}
    (outcome,) = evaluate_models(
        models, records, boxes, jobs, problems, show_progress, quality=quality, detector=detector
    )
    return outcome


def evaluate_models(
    models: Mapping[str, Path],
    records: Iterable[ImageRecord],
    boxes: Boxes = "pipeline",
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
    source: str = "<evaluation>",
    quality: Quality = "balanced",
    detector: str | None = None,
) -> list[Evaluation]:
    """Predict every annotated face with several models, which all start from the same boxes.

    Parameters
    ----------
    models : mapping of str to Path
        Predictors by name, all measured on the landmarks that all of them have. Each picture is
        read, and its faces are detected, once for all.
    records, boxes, jobs, problems, show_progress, quality, detector
        As in `evaluate`.
    source : str
        What to call the data when there is no face in it.

    Returns
    -------
    list of Evaluation
        One a model, in their order.

    Raises
    ------
    ModelFormatError, DataError, OptionError
        As in `evaluate`.
    """
    if boxes not in get_args(Boxes):
        raise OptionError(f"boxes must be {', '.join(get_args(Boxes))}, not '{boxes}'")
    require_quality(quality)
    problems = problems if problems is not None else Problems(strict=True)
    schemes = [model_scheme(path) for path in models.values()]
    listed = list(records)
    scheme = common_scheme(schemes, listed, source)
    _require_boxes(boxes, detector, scheme, schemes)
    names = tuple(map(str, models.values()))
    predict = partial(
        _predict,
        models=names,
        boxes=boxes,
        quality=quality,
        detector=detector or "fast",
        scheme=scheme,
        schemes=schemes,
    )
    outcomes = parallel_map(predict, listed, resolve_jobs(jobs))
    faces: list[tuple[FaceResult, ...]] = []
    for outcome in progress(outcomes, len(listed), "evaluating", show_progress):
        if isinstance(outcome, EfldError):
            problems.add(outcome)
        else:
            faces.extend(outcome)
    if not faces:
        raise DataError(source, "there is no annotated face to evaluate on")
    return [
        Evaluation(results, path, name, scheme)
        for (name, path), results in zip(models.items(), zip(*faces, strict=True), strict=True)
    ]


def _require_boxes(
    boxes: Boxes, detector: str | None, scheme: Scheme, models: Sequence[Scheme]
) -> None:
    """Things that are no faces have no detector unless it is named."""
    if boxes == "pipeline" and detector is None and not any(s.face for s in (scheme, *models)):
        raise OptionError(
            f"no detector is known for {scheme.title}: name one (--detector things.svm; fast, if "
            "it is faces), or take the boxes of the data (--boxes file)"
        )
    if boxes == "ground-truth" and correspondence(scheme, FACE_68) is None:
        raise OptionError(
            f"where dlib's detector would see it is not known of {scheme.title}: take the boxes of "
            "the data (--boxes file)"
        )


def common_scheme(
    models: Sequence[Scheme], records: Sequence[ImageRecord], source: str = "<evaluation>"
) -> Scheme:
    """The scheme in which predictions of `models` can be compared with the truth.

    It is the models' own if all have it and the data gives it; else the 68 landmarks; else the
    largest that all the others are part of.

    Raises
    ------
    DataError
        There is no such scheme.
    """
    data = next((face.scheme for record in records for face in record.faces), None)
    if data is None:
        return models[0]
    # A bare .dat says nothing of its points but how many there are.
    own = [data if each == numbered_scheme(data.size) else each for each in models]
    for candidate in (
        *(own[:1] if len(set(own)) == 1 else ()),
        FACE_68,
        *sorted((*own, data), key=lambda scheme: -scheme.size),
    ):
        if all(each == candidate or correspondence(each, candidate) for each in (*own, data)):
            # The data's own is whole and has names; the ends of its normaliser may be among the
            # points that a model lacks.
            same = data.name == candidate.name or not candidate.name
            return data if same and data.size >= candidate.size else candidate
    said = ", ".join(dict.fromkeys(each.range for each in own))
    raise DataError(source, f"has landmarks that cannot be compared: {data.range}, but {said}")


@lru_cache(maxsize=1)
def _loaded(
    models: tuple[tuple[str, int], ...], boxes: Boxes, quality: Quality, detector: str
) -> list[Callable[[Image, Detection], FloatArray]]:
    """What predicts in this process; each with its file's time, to tell one trained anew."""
    if boxes == "pipeline":
        own = _detector(detector)
        return [partial(_found, FaceLandmarker(file, own, quality=quality)) for file, _ in models]
    return [partial(_plain, DlibPredictor(load_predictor(model))) for model, _ in models]


def _found(landmarker: FaceLandmarker, gray: Image, detection: Detection) -> FloatArray:
    return landmarker.face_at(gray, detection).points


def _plain(predictor: CropPredictor, gray: Image, detection: Detection) -> FloatArray:
    """One run of a predictor from the detector's box, as in a plain dlib program."""
    crop = canonical_crop(gray, detection.box, FACE_SIZE, SEEN, square=False)
    return crop.to_photograph(predictor.predict(crop.image[None], crop.box)[0])


@lru_cache(maxsize=1)
def _detector(name: str) -> Detector:
    return make_detector(name)


def _predict(
    record: ImageRecord,
    models: tuple[str, ...],
    boxes: Boxes,
    quality: Quality,
    detector: str,
    scheme: Scheme,
    schemes: Sequence[Scheme],
) -> list[tuple[FaceResult, ...]] | EfldError:
    """Results of the faces of one picture, each of every model."""
    try:
        files = tuple((model, Path(model).stat().st_mtime_ns) for model in models)
        runners = _loaded(files, boxes, quality, detector)
        faces = [_in_scheme(record.path, face, scheme) for face in record.faces]
        gray = to_gray(read_image(record.path))
        places = _places(record.path, faces, gray, boxes, detector)
    except DataError as error:
        return error
    results = []
    for original, face, place in zip(record.faces, faces, places, strict=True):
        box = None if place is None else place.box
        predicted: list[FloatArray | None] = [None] * len(runners)
        if place is not None:
            predicted = _compared([run(gray, place) for run in runners], schemes, scheme)
        own = [FaceResult(record.path, face.points, each, box, original) for each in predicted]
        results.append(tuple(own))
    return results


def _compared(
    predicted: Sequence[FloatArray], schemes: Sequence[Scheme], scheme: Scheme
) -> list[FloatArray | None]:
    """What models predict as landmarks of one scheme, those that some model lacks left out."""
    # As in `common_scheme`, a bare .dat has the points of the data, in their order.
    bare = numbered_scheme(scheme.size)
    converted = [
        points if own == bare else convert_points(points, own, scheme)
        for points, own in zip(predicted, schemes, strict=True)
    ]
    given = np.all([annotated(points) for points in converted if points is not None], axis=0)
    return [
        None if points is None else np.where(given[:, None], points, np.nan) for points in converted
    ]


def _in_scheme(path: Path, face: FaceAnnotation, scheme: Scheme) -> FaceAnnotation:
    try:
        return convert_face(face, scheme)
    except ValueError as error:
        raise DataError(path, f"has landmarks that cannot be compared ({error})") from error


def _places(
    path: Path, faces: list[FaceAnnotation], gray: Image, boxes: Boxes, detector: str
) -> list[Detection | None]:
    """The detection of each face; None = missed."""
    if boxes in ("detector", "pipeline"):
        found = _detector(detector if boxes == "pipeline" else "dlib")(gray)
        by_box = {each.box: each for each in found}
        return [None if box is None else by_box[box] for box in match_detections(faces, found)]
    boxed = _box_in_data if boxes == "file" else _box_of_truth
    return [Detection(boxed(path, face), math.nan) for face in faces]


def _box_in_data(path: Path, face: FaceAnnotation) -> Box:
    if face.box is None:
        raise DataError(path, "has a face without a box")
    return face.box


def _box_of_truth(path: Path, face: FaceAnnotation) -> Box:
    if face.given.sum() < MIN_POINTS:
        raise DataError(path, f"has a face with fewer than {MIN_POINTS} landmarks to frame")
    if not np.ptp(face.points[face.given], axis=0).any():
        raise DataError(path, "has a face of which all landmarks are in one place")
    on_face = convert_points(face.points, face.scheme, FACE_68)
    if on_face is None:
        raise DataError(path, f"has landmarks of {face.scheme.title}, which no face is framed by")
    return default_box_map().predict(on_face)

"""Running a model over annotated faces and measuring what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..annotation import FloatArray, ImageRecord
from ..detection.detectors import FrontalDetector
from ..detection.landmarker import predict_points
from ..detection.matching import match_detections
from ..errors import DataError, EfldError, Problems
from ..images import FACE_SIZE, read_image, to_gray
from ..models.loading import load_predictor, require_68_points
from ..parallel import parallel_map, progress, resolve_jobs
from .metrics import area_under_curve, failure_rate, normalised_mean_errors

Boxes = Literal["detector", "file"]


@dataclass(frozen=True)
class FaceResult:
    """One annotated face and what the model made of it.

    Parameters
    ----------
    path : Path
        The picture.
    truth : array, shape (68, 2)
    predicted : array, shape (68, 2), or None
        None = the detector missed the face.
    """

    path: Path
    truth: FloatArray
    predicted: FloatArray | None


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model on a set of faces; errors are fractions of the inter-ocular distance.

    Parameters
    ----------
    faces, missed : int
        Annotated faces, and those that the detector did not find.
    nme : float
        Mean error of the found faces.
    auc, failures : float
        Area under the CED and failure rate at 0.08 over all faces, a missed one being a failure.
    results : tuple of FaceResult
        Every face, in the order of the data.
    errors : array, shape (faces,)
        Error of each face; infinite for a missed one, NaN where the truth lacks an eye corner.
    """

    faces: int
    missed: int
    nme: float
    auc: float
    failures: float
    results: tuple[FaceResult, ...]
    errors: FloatArray

    def __str__(self) -> str:
        return (
            f"faces {self.faces}, missed {self.missed}\n"
            f"NME (inter-ocular, found faces) {100 * self.nme:.2f} %\n"
            f"AUC at 0.08 (all faces) {self.auc:.3f}\n"
            f"failure rate at 0.08 (all faces, missed ones included) {100 * self.failures:.1f} %"
        )


def evaluate(
    model: str | Path,
    records: Iterable[ImageRecord],
    boxes: Boxes = "detector",
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
) -> Evaluation:
    """Predict every annotated face and measure the error.

    Parameters
    ----------
    model : path
        A 68-point predictor.
    records : iterable of ImageRecord
        The annotated faces.
    boxes : {"detector", "file"}
        Whether the predictor starts from what the detector finds, as in real use, or from the
        boxes in the records, as for the crops that `prepare` makes.
    jobs : int, optional
        Number of processes; by default one a core.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelFormatError
        The model cannot be used.
    DataError
        There is no face to evaluate on.
    """
    problems = problems if problems is not None else Problems(strict=True)
    jobs = resolve_jobs(jobs)
    require_68_points(load_predictor(model), model)
    listed = list(records)
    predict = partial(_predict, model=str(model), boxes=boxes)
    outcomes = progress(
        parallel_map(predict, listed, jobs), len(listed), "evaluating", show_progress
    )
    results: list[FaceResult] = []
    for outcome in outcomes:
        if isinstance(outcome, EfldError):
            problems.add(outcome)
        else:
            results.extend(outcome)
    if not results:
        raise DataError("<evaluation>", "there is no annotated face to evaluate on")
    return summarise(results)


def summarise(results: Sequence[FaceResult]) -> Evaluation:
    """The figures of faces that were predicted already."""
    missing = np.full((len(results[0].truth), 2), np.nan)
    truth = np.array([result.truth for result in results])
    predicted = np.array(
        [missing if result.predicted is None else result.predicted for result in results]
    )
    missed = np.array([result.predicted is None for result in results])
    errors = np.where(missed, np.inf, normalised_mean_errors(predicted, truth))
    found = errors[np.isfinite(errors)]
    counted = errors[~np.isnan(errors)]
    return Evaluation(
        faces=len(results),
        missed=int(missed.sum()),
        nme=float(found.mean()) if len(found) else float("nan"),
        auc=area_under_curve(counted),
        failures=failure_rate(counted),
        results=tuple(results),
        errors=errors,
    )


@lru_cache(maxsize=2)
def _loaded(model: str, modified: int) -> Any:
    """The predictor of this process; `modified` tells a file trained anew from the old one."""
    return load_predictor(model)


def _predict(record: ImageRecord, model: str, boxes: Boxes) -> list[FaceResult] | EfldError:
    """Results of one picture."""
    try:
        predictor = _loaded(model, Path(model).stat().st_mtime_ns)
        gray = to_gray(read_image(record.path))
        if boxes == "file":
            places = [face.box for face in record.faces]
            if any(place is None for place in places):
                raise DataError(record.path, "has a face without a box")
        else:
            places = match_detections(record.faces, FrontalDetector()(gray))
    except DataError as error:
        return error
    return [
        FaceResult(
            record.path,
            face.points,
            None if box is None else predict_points(predictor, gray, box, FACE_SIZE),
        )
        for face, box in zip(record.faces, places, strict=True)
    ]

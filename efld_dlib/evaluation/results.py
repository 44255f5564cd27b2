"""What an evaluation leaves behind: every face with its truth and prediction, and its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..boxes import BoolArray, Box, FloatArray
from ..pose import face_poses
from ..records import FaceAnnotation
from .metrics import area_under_curve, failure_rate, mean_given, normalised_mean_errors


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
    model : Path, optional
        The model's file.
    name : str
        What to call the model.
    """

    faces: int
    missed: int
    nme: float
    auc: float
    failures: float
    results: tuple[FaceResult, ...]
    errors: FloatArray
    model: Path | None = None
    name: str = ""

    def __str__(self) -> str:
        return (
            f"faces {self.faces}, missed {self.missed}\n"
            f"NME (inter-ocular, found faces) {100 * self.nme:.2f} %\n"
            f"AUC at 0.08 (all faces) {self.auc:.3f}\n"
            f"failure rate at 0.08 (all faces, missed ones included) {100 * self.failures:.1f} %"
        )

    @property
    def truth(self) -> FloatArray:
        """True landmarks of every face, shape (faces, 68, 2)."""
        return np.array([result.truth for result in self.results])

    @property
    def predicted(self) -> FloatArray:
        """Predicted landmarks of every face, shape (faces, 68, 2); NaN for a missed one."""
        return _predicted(self.results)

    @property
    def found(self) -> BoolArray:
        """Which faces the model was run on, shape (faces,)."""
        return np.array([result.predicted is not None for result in self.results])

    @property
    def poses(self) -> FloatArray:
        """Yaw, pitch and roll of each face as `pose.face_poses` gives them, shape (faces, 3)."""
        faces = [result.face or FaceAnnotation(result.truth) for result in self.results]
        return face_poses(
            [FaceAnnotation(r.truth, pose=f.pose) for r, f in zip(self.results, faces, strict=True)]
        )

    def errors_by(self, by: str, landmarks: Sequence[int] | None = None) -> FloatArray:
        """Errors with another normaliser or of some landmarks, marked as `errors` are."""
        return _marked(self.results, by, landmarks)


def summarise(
    results: Sequence[FaceResult], model: str | Path | None = None, name: str = ""
) -> Evaluation:
    """The figures of faces that were predicted already.

    Parameters
    ----------
    results : sequence of FaceResult
        At least one.
    model : path, optional
        The model's file.
    name : str
        What to call the model.
    """
    errors = _marked(results)
    counted = errors[~np.isnan(errors)]
    return Evaluation(
        faces=len(results),
        missed=sum(result.predicted is None for result in results),
        nme=float(mean_given(errors)),
        auc=area_under_curve(counted),
        failures=failure_rate(counted),
        results=tuple(results),
        errors=errors,
        model=None if model is None else Path(model),
        name=name,
    )


def _predicted(results: Sequence[FaceResult]) -> FloatArray:
    missing = np.full((len(results[0].truth), 2), np.nan)
    return np.array(
        [missing if result.predicted is None else result.predicted for result in results]
    )


def _marked(
    results: Sequence[FaceResult],
    by: str = "inter-ocular",
    landmarks: Sequence[int] | None = None,
) -> FloatArray:
    truth = np.array([result.truth for result in results])
    missed = [result.predicted is None for result in results]
    errors = normalised_mean_errors(_predicted(results), truth, by, landmarks)
    return np.where(missed, np.inf, errors)

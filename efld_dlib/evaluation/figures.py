"""Models that everybody has, and what they were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..boxes import BoolArray, FloatArray
from ..errors import OptionError
from .bootstrap import RESAMPLES, Bootstrap, Figure
from .evaluate import Evaluation
from .metrics import (
    NORMALISERS,
    REGIONS,
    THRESHOLDS,
    area_shares,
    mean_given,
    normalisers,
    point_errors,
)

STOCK_BYTES = 99_693_937
"""Size of dlib's ``shape_predictor_68_face_landmarks.dat``, which was trained on all of 300-W, its
test faces included: 2.78 % on HELEN test is no held-out figure."""


def trained_on_300w_test(model: Path | None) -> bool:
    """Whether a file is the one of `STOCK_BYTES`, so that its figures on 300-W prove nothing."""
    return model is not None and model.is_file() and model.stat().st_size == STOCK_BYTES


@dataclass(frozen=True)
class PoseBin:
    """Faces of which an angle or its size lies in [low, high) degrees; 0 yaw, 1 pitch, 2 roll."""

    name: str
    angle: int
    low: float
    high: float
    absolute: bool = True

    def members(self, poses: FloatArray) -> BoolArray:
        """Which faces it holds; `poses` has shape (faces, 3). An unknown pose is in no bin."""
        angle = np.abs(poses[:, self.angle]) if self.absolute else poses[:, self.angle]
        return np.asarray((angle >= self.low) & (angle < self.high))


POSE_BINS = (
    PoseBin("|yaw| 0-15", 0, 0, 15),
    PoseBin("|yaw| 15-30", 0, 15, 30),
    PoseBin("|yaw| 30-45", 0, 30, 45),
    PoseBin("|yaw| 45 and more", 0, 45, np.inf),
    PoseBin("|roll| 0-15", 2, 0, 15),
    PoseBin("|roll| 15-30", 2, 15, 30),
    PoseBin("|roll| 30 and more", 2, 30, np.inf),
    PoseBin("pitch below -15 (down)", 1, -np.inf, -15, absolute=False),
    PoseBin("pitch -15 to 15", 1, -15, 15, absolute=False),
    PoseBin("pitch 15 and more (up)", 1, 15, np.inf, absolute=False),
)


@dataclass(frozen=True)
class PoseFigures:
    """Error of the faces in a pose bin: by the chosen normaliser, and by the box, which stays
    large where a turned head brings the eyes together.
    """

    name: str
    faces: int
    missed: int
    nme: Figure
    box: Figure


def pose_figures(
    errors: dict[str, FloatArray],
    found: BoolArray,
    poses: FloatArray,
    bootstrap: Bootstrap,
    by: str,
) -> list[PoseFigures]:
    """Figures of every bin that holds a face, and of the faces whose pose is unknown.

    Parameters
    ----------
    errors : dict of str to array, shape (faces,)
        Errors of all faces by normaliser.
    found : array of bool, shape (faces,)
        Which of them the detector found.
    poses : array, shape (faces, 3)
        Yaw, pitch and roll in degrees.
    bootstrap : Bootstrap
    by : str
        The chosen normaliser.
    """
    groups = [(each.name, each.members(poses)) for each in POSE_BINS]
    groups.append(("pose unknown", np.asarray(~np.isfinite(poses).all(axis=1))))
    return [
        PoseFigures(
            name,
            int(inside.sum()),
            int((inside & ~found).sum()),
            bootstrap.mean(np.where(inside, errors[by], np.nan)),
            bootstrap.mean(np.where(inside, errors["box"], np.nan)),
        )
        for name, inside in groups
        if inside.any()
    ]


@dataclass(frozen=True)
class ModelFigures:
    """What a model achieves on a set of faces. Errors are fractions of the normaliser.

    Parameters
    ----------
    name : str
    path : Path, optional
        Its file.
    faces, missed, unmeasured : int
        All faces; those the detector did not find; those found of which the truth lacks what
        `by` needs, or any landmark.
    nme : dict of str to Figure
        Mean error of the found faces by each of `metrics.NORMALISERS`.
    median, percentile90 : Figure
        Of the found faces' errors.
    auc, failures : dict of float to Figure
        By threshold, over all faces that can be measured; a missed one is a failure.
    regions : dict of str to Figure
        Mean error of the found faces in each of `metrics.REGIONS`.
    landmarks : array, shape (68,)
        Mean error of each landmark; NaN for one that no found face has.
    poses : tuple of PoseFigures
    remark : str
        What a reader must know before quoting the figures.
    """

    name: str
    path: Path | None
    faces: int
    missed: int
    unmeasured: int
    nme: dict[str, Figure]
    median: Figure
    percentile90: Figure
    auc: dict[float, Figure]
    failures: dict[float, Figure]
    regions: dict[str, Figure]
    landmarks: FloatArray
    poses: tuple[PoseFigures, ...]
    remark: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two models on the faces that both were run on.

    Parameters
    ----------
    first, second : str
        Names of the models.
    faces : int
    difference : Figure
        Mean error of the second minus that of the first; below 0 the second is better.
    better : float
        Share of the faces on which the second has the smaller error.
    """

    first: str
    second: str
    faces: int
    difference: Figure
    better: float


@dataclass(frozen=True)
class Study:
    """Models on one set of faces.

    Parameters
    ----------
    data : str
        What the set is called.
    boxes : str
        Where the predictors started, see `protocol.Boxes`.
    by : str
        The normaliser of all figures but `ModelFigures.nme` and `PoseFigures.box`.
    evaluations : tuple of Evaluation
    models : tuple of ModelFigures
    comparisons : tuple of Comparison
        Of each further model with the first.
    """

    data: str
    boxes: str
    by: str
    evaluations: tuple[Evaluation, ...]
    models: tuple[ModelFigures, ...]
    comparisons: tuple[Comparison, ...]


def study(
    data: str,
    boxes: str,
    evaluations: Sequence[Evaluation],
    by: str = "inter-ocular",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Study:
    """Figures of several models on the same faces.

    Parameters
    ----------
    data, boxes
        As `Study` has them.
    evaluations : sequence of Evaluation
        From `protocol.evaluate_models`: all with the same faces.
    by : str
        A key of `metrics.NORMALISERS`.
    resamples, seed
        Of the `Bootstrap`.

    Raises
    ------
    OptionError
        There is no such normaliser, or the number of resamples is below 0.
    """
    if by not in NORMALISERS:
        raise OptionError(f"'{by}' is no normaliser; choose {', '.join(NORMALISERS)}")
    bootstrap = Bootstrap(evaluations[0].faces, resamples, seed)
    poses = evaluations[0].poses
    return Study(
        data,
        boxes,
        by,
        tuple(evaluations),
        tuple(model_figures(each, bootstrap, by, poses) for each in evaluations),
        tuple(compare(evaluations[0], each, bootstrap, by) for each in evaluations[1:]),
    )


def model_figures(
    evaluation: Evaluation, bootstrap: Bootstrap, by: str, poses: FloatArray
) -> ModelFigures:
    """Figures of one model; `poses` are the faces', shape (faces, 3) in degrees."""
    errors = {each: evaluation.errors_by(each) for each in NORMALISERS}
    chosen = errors[by]
    return ModelFigures(
        name=evaluation.name,
        path=evaluation.model,
        faces=evaluation.faces,
        missed=evaluation.missed,
        unmeasured=int(np.isnan(chosen).sum()),
        nme={each: bootstrap.mean(values) for each, values in errors.items()},
        median=bootstrap.quantile(chosen, 0.5),
        percentile90=bootstrap.quantile(chosen, 0.9),
        auc={limit: bootstrap.mean(area_shares(chosen, limit)) for limit in THRESHOLDS},
        failures={
            limit: bootstrap.mean(np.where(np.isnan(chosen), np.nan, chosen > limit))
            for limit in THRESHOLDS
        },
        regions={
            name: bootstrap.mean(evaluation.errors_by(by, landmarks))
            for name, landmarks in REGIONS.items()
        },
        landmarks=_landmark_errors(evaluation, by),
        poses=tuple(pose_figures(errors, evaluation.found, poses, bootstrap, by)),
        remark="trained on 300-W's test faces" if trained_on_300w_test(evaluation.model) else "",
    )


def compare(first: Evaluation, second: Evaluation, bootstrap: Bootstrap, by: str) -> Comparison:
    """The paired comparison of two models on the same faces."""
    errors = first.errors_by(by), second.errors_by(by)
    both = np.isfinite(errors[0]) & np.isfinite(errors[1])
    difference = np.full(len(both), np.nan)
    difference[both] = errors[1][both] - errors[0][both]
    better = float((difference[both] < 0).mean()) if both.any() else float("nan")
    return Comparison(first.name, second.name, int(both.sum()), bootstrap.mean(difference), better)


def _landmark_errors(evaluation: Evaluation, by: str) -> FloatArray:
    distance = normalisers(evaluation.truth, by)
    errors = point_errors(evaluation.predicted, evaluation.truth) / distance[:, None]
    return mean_given(errors, axis=0)

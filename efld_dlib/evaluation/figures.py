"""Figures of several models on the same faces, and their tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..boxes import BoolArray, FloatArray
from ..errors import OptionError
from ..landmarks import Scheme
from ..pose import has_pose
from ..tables import DASH, Table, number, share, span
from .bootstrap import RESAMPLES, Bootstrap, Figure, percent, with_interval
from .evaluate import Evaluation
from .metrics import (
    FAILURE_THRESHOLD,
    NORMALISERS,
    THRESHOLDS,
    area_shares,
    failures,
    mean_given,
    normaliser_title,
    normalisers,
    point_errors,
    regions,
)

STOCK_BYTES = 99_693_937
"""Size of dlib's ``shape_predictor_68_face_landmarks.dat``, which was trained on all of 300-W, its
test faces included: 2.78 % on HELEN test is no held-out figure."""


def trained_on_300w_test(model: Path | None) -> bool:
    """Whether a file is the one of `STOCK_BYTES`, so that its figures on 300-W prove nothing."""
    return model is not None and model.is_file() and model.stat().st_size == STOCK_BYTES


@dataclass(frozen=True)
class PoseFigures:
    """Error of the faces of some pose: by the chosen normaliser, and by the box, which stays
    large where a turned head brings the eyes together.
    """

    name: str
    faces: int
    missed: int
    nme: Figure
    nme_box: Figure


@dataclass(frozen=True)
class ModelFigures:
    """What a model achieves on a set of faces. Errors are fractions of the normaliser.

    Parameters
    ----------
    name : str
    file : Path, optional
    bytes : int, optional
        Of the file.
    remark : str, optional
        What a reader must know before quoting the figures.
    faces, missed, unmeasured : int
        All faces; those the detector did not find; those found of which the truth lacks what
        the normaliser needs, or any landmark.
    nme : dict of str to Figure
        Mean error of the found faces by each of `metrics.NORMALISERS`.
    median, percentile_90 : Figure
        Of the found faces' errors.
    auc, failure_rate : dict of float to Figure
        By threshold, over all faces that can be measured; a missed one is a failure.
    regions : dict of str to Figure
        Mean error of the found faces in each of `metrics.regions`.
    landmarks : array, shape (n,)
        Mean error of each landmark; NaN for one that no found face has.
    poses : list of PoseFigures
    """

    name: str
    file: Path | None
    bytes: int | None
    remark: str | None
    faces: int
    missed: int
    unmeasured: int
    nme: dict[str, Figure]
    median: Figure
    percentile_90: Figure
    auc: dict[float, Figure]
    failure_rate: dict[float, Figure]
    regions: dict[str, Figure]
    landmarks: FloatArray
    poses: list[PoseFigures]


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
    second_better : float
        Share of the faces on which the second has the smaller error.
    """

    first: str
    second: str
    faces: int
    difference: Figure
    second_better: float


@dataclass(frozen=True)
class Study:
    """Models on one set of faces. All but the evaluations is what `write_figures` writes.

    Parameters
    ----------
    data : str
        What the set is called.
    boxes : str
        Where the predictors started, see `evaluate.Boxes`.
    faces, missed : int
        All faces, and those the detector did not find.
    normaliser : str
        Of all figures but `ModelFigures.nme` and `PoseFigures.nme_box`.
    models : list of ModelFigures
    comparisons : list of Comparison
        Of each further model with the first.
    evaluations : sequence of Evaluation
        Of the models.
    """

    data: str
    boxes: str
    faces: int
    missed: int
    normaliser: str
    models: list[ModelFigures]
    comparisons: list[Comparison]
    evaluations: Sequence[Evaluation]

    @property
    def scheme(self) -> Scheme:
        """Of the landmarks."""
        return self.evaluations[0].scheme

    @property
    def title(self) -> str:
        """What to call the normaliser."""
        return normaliser_title(self.normaliser, self.scheme)


def study(
    data: str,
    boxes: str,
    evaluations: Sequence[Evaluation],
    by: str | None = None,
    resamples: int = RESAMPLES,
) -> Study:
    """Figures of several models on the same faces.

    Parameters
    ----------
    data, boxes
        As `Study` has them.
    evaluations : sequence of Evaluation
        From `evaluate.evaluate_models`: all with the same faces.
    by : str, optional
        The normaliser, one of `metrics.NORMALISERS`; by default the usual one of the scheme.
    resamples : int
        Of the `Bootstrap`.

    Raises
    ------
    OptionError
        There is no such normaliser, or the number of resamples is below 0.
    """
    first = evaluations[0]
    by = first.by if by is None else by
    if by not in NORMALISERS:
        raise OptionError(f"'{by}' is no normaliser; choose {', '.join(NORMALISERS)}")
    bootstrap = Bootstrap(first.faces, resamples)
    poses = _pose_groups(first.poses) if has_pose(first.scheme) else {}
    models = [_model_figures(each, bootstrap, by, poses) for each in evaluations]
    comparisons = [_comparison(first, each, bootstrap, by) for each in evaluations[1:]]
    return Study(data, boxes, first.faces, first.missed, by, models, comparisons, evaluations)


def _model_figures(
    evaluation: Evaluation, bootstrap: Bootstrap, by: str, poses: dict[str, BoolArray]
) -> ModelFigures:
    errors = {each: evaluation.errors_by(each) for each in NORMALISERS}
    chosen, found, file = errors[by], evaluation.found, evaluation.model
    apart = point_errors(evaluation.predicted, evaluation.truth)
    return ModelFigures(
        name=evaluation.name,
        file=file,
        bytes=file.stat().st_size if file is not None and file.is_file() else None,
        remark="trained on 300-W's test faces" if trained_on_300w_test(file) else None,
        faces=evaluation.faces,
        missed=evaluation.missed,
        unmeasured=int(np.isnan(chosen).sum()),
        nme={each: bootstrap.mean(values) for each, values in errors.items()},
        median=bootstrap.quantile(chosen, 0.5),
        percentile_90=bootstrap.quantile(chosen, 0.9),
        auc={limit: bootstrap.mean(area_shares(chosen, limit)) for limit in THRESHOLDS},
        failure_rate={limit: bootstrap.mean(failures(chosen, limit)) for limit in THRESHOLDS},
        regions={
            name: bootstrap.mean(evaluation.errors_by(by, landmarks))
            for name, landmarks in regions(evaluation.scheme).items()
        },
        landmarks=mean_given(
            apart / normalisers(evaluation.truth, by, evaluation.scheme)[:, None], axis=0
        ),
        poses=[
            PoseFigures(
                name,
                int(inside.sum()),
                int((inside & ~found).sum()),
                bootstrap.mean(np.where(inside, chosen, np.nan)),
                bootstrap.mean(np.where(inside, errors["box"], np.nan)),
            )
            for name, inside in poses.items()
            if inside.any()
        ],
    )


def _pose_groups(poses: FloatArray) -> dict[str, BoolArray]:
    """Which faces are in each group, for yaw, pitch and roll in degrees, shape (faces, 3)."""
    yaw, pitch, roll = poses.T
    groups = {
        f"|{name}| {span(low, high)}": (np.abs(angle) >= low) & (np.abs(angle) < high)
        for name, angle, limits in (
            ("yaw", yaw, (0, 15, 30, 45, math.inf)),
            ("roll", roll, (0, 15, 30, math.inf)),
        )
        for low, high in pairwise(limits)
    }
    return groups | {
        "pitch below -15 (down)": pitch < -15,
        "pitch -15 to 15": (pitch >= -15) & (pitch < 15),
        "pitch 15 and more (up)": pitch >= 15,
        "pose unknown": np.asarray(~np.isfinite(poses).all(axis=1)),
    }


def _comparison(first: Evaluation, second: Evaluation, bootstrap: Bootstrap, by: str) -> Comparison:
    errors = np.stack([first.errors_by(by), second.errors_by(by)])
    both = np.isfinite(errors).all(axis=0)
    before, after = np.where(both, errors, np.nan)
    difference = after - before
    better = float(mean_given(np.where(both, difference < 0, np.nan)))
    return Comparison(first.name, second.name, int(both.sum()), bootstrap.mean(difference), better)


BOXES_SAID = {
    "detector": "boxes from the detector",
    "pipeline": "the whole pipeline",
    "ground-truth": "boxes from the true landmarks",
    "file": "boxes from the data",
}


def headline(study: Study) -> str:
    """One line on what was measured: ``helen/testset: 330 faces, boxes from …; 5 missed``."""
    return f"{study.data}: {summary(study)}"


def summary(study: Study) -> str:
    """The line without the name of the data."""
    faces = f"{study.faces} face{'s' if study.faces != 1 else ''}"
    missed = f"{study.missed} missed ({share(study.missed, study.faces)} %)"
    text = f"{faces}, {BOXES_SAID[study.boxes]}; {missed}"
    if unmeasured := study.models[0].unmeasured:
        text += f"; {unmeasured} without the true landmarks that {study.title} needs"
    return text


def study_tables(study: Study) -> list[Table]:
    """Error, AUC and failures, regions, poses, and the comparison where there is one."""
    by, models = study.title, study.models
    # Of things, those that the scheme does not know are left out.
    kinds = [
        each for each in NORMALISERS if study.scheme.face or np.isfinite(models[0].nme[each].value)
    ]
    remarks = [f"(!) {model.name}: {model.remark}." for model in models if model.remark]
    failed = "faces count as failures" if study.missed != 1 else "face counts as a failure"
    tables = [
        Table(
            "Error: NME of the found faces in %, with 95 % intervals",
            (
                *("model", "MB"),
                *(normaliser_title(each, study.scheme) for each in kinds),
                *("median", "90th perc."),
            ),
            [
                (
                    _name(model),
                    DASH if model.bytes is None else number(model.bytes / 1e6, 1),
                    *(percent(model.nme[each]) for each in kinds),
                    percent(model.median, interval=False),
                    percent(model.percentile_90, interval=False),
                )
                for model in models
            ],
            " ".join([f"Median and 90th percentile are of the {by} error.", *remarks]),
        ),
        Table(
            f"AUC and failure rate of all faces, {by}",
            (
                "model",
                *(f"AUC {limit:.2f}" for limit in THRESHOLDS),
                *(f"% over {100 * limit:.0f} %" for limit in THRESHOLDS),
            ),
            [
                (
                    _name(model),
                    *(with_interval(_shown(model.auc, limit), 3) for limit in THRESHOLDS),
                    *(percent(_shown(model.failure_rate, limit), digits=1) for limit in THRESHOLDS),
                )
                for model in models
            ],
            f"{study.missed} missed {failed}.",
        ),
    ]
    if parts := models[0].regions:
        rows = [(_name(model), *map(percent, model.regions.values())) for model in models]
        tables.append(Table(f"NME by region in %, {by}", ("model", *parts), rows))
    if models[0].poses:
        tables.append(_pose_table(study))
    return [*tables, _comparison_table(study)] if study.comparisons else tables


def _name(model: ModelFigures) -> str:
    return f"{model.name} (!)" if model.remark else model.name


def _shown(figures: dict[float, Figure], limit: float) -> Figure:
    """A figure, with its interval only at the usual threshold, so that the table stays narrow."""
    figure = figures[limit]
    return figure if limit == FAILURE_THRESHOLD else Figure(figure.value)


def _pose_table(study: Study) -> Table:
    several = len(study.models) > 1
    kinds = {study.title: "nme", "box": "nme_box"}
    columns = [
        f"{_name(model)} {kind}" if several else kind for model in study.models for kind in kinds
    ]
    rows = []
    for group, *others in zip(*(model.poses for model in study.models), strict=True):
        figures = [getattr(each, kind) for each in (group, *others) for kind in kinds.values()]
        cells = (percent(figure, interval=not several) for figure in figures)
        rows.append((group.name, str(group.faces), str(group.missed), *cells))
    note = "The pose is the data set's own, or fitted to the true landmarks."
    header = ("pose", "faces", "missed", *columns)
    return Table("NME by head pose (degrees) in %", header, rows, note)


def _comparison_table(study: Study) -> Table:
    rows = [
        (
            f"{each.second} minus {each.first}",
            str(each.faces),
            percent(each.difference, digits=3),
            f"{number(100 * each.second_better, 0)} %",
            verdict(each),
        )
        for each in study.comparisons
    ]
    return Table(
        f"Paired comparison, difference of the {study.title} NME in percentage points",
        ("models", "faces", "difference", "second better on", "verdict"),
        rows,
        "On the faces that both were run on; below 0 the one named first is better.",
    )


def verdict(comparison: Comparison) -> str:
    """Whether the interval of a difference leaves zero out, in words."""
    value, low, high = comparison.difference
    if not math.isfinite(low):
        return "too few faces"
    if low <= 0 <= high:
        return "no clear difference"
    return f"{comparison.second if value < 0 else comparison.first} better"

"""A study as tables to read."""

from __future__ import annotations

import math

from .figures import Comparison, ModelFigures, Study
from .metrics import FAILURE_THRESHOLD, NORMALISERS, REGIONS, THRESHOLDS
from .statistics import Figure
from .tables import Table, number, percent, with_interval

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
    first = study.models[0]
    faces = f"{first.faces} face{'s' if first.faces != 1 else ''}"
    missed = f"{first.missed} missed ({100 * first.missed / first.faces:.1f} %)"
    text = f"{faces}, {BOXES_SAID[study.boxes]}; {missed}"
    if first.unmeasured:
        text += f"; {first.unmeasured} without the true landmarks that {study.by} needs"
    return text


def study_tables(study: Study) -> list[Table]:
    """Error, AUC and failures, regions, poses, and the comparison where there is one."""
    tables = [_errors(study), _curve(study), _regions(study), _poses(study)]
    return [*tables, _comparisons(study)] if study.comparisons else tables


def _name(model: ModelFigures) -> str:
    return f"{model.name} (!)" if model.remark else model.name


def _megabytes(model: ModelFigures) -> str:
    if model.path is None or not model.path.is_file():
        return number(math.nan)
    return number(model.path.stat().st_size / 1e6, 1)


def _errors(study: Study) -> Table:
    remarks = [f"(!) {model.name}: {model.remark}." for model in study.models if model.remark]
    return Table(
        "Error: NME of the found faces in %, with 95 % intervals",
        ("model", "MB", *NORMALISERS, "median", "90th perc."),
        tuple(
            (
                _name(model),
                _megabytes(model),
                *(percent(model.nme[by]) for by in NORMALISERS),
                percent(model.median, interval=False),
                percent(model.percentile90, interval=False),
            )
            for model in study.models
        ),
        " ".join([f"Median and 90th percentile are of the {study.by} error.", *remarks]),
    )


def _curve(study: Study) -> Table:
    missed = study.models[0].missed
    return Table(
        f"AUC and failure rate of all faces, {study.by}",
        (
            "model",
            *(f"AUC {limit:.2f}" for limit in THRESHOLDS),
            *(f"% over {100 * limit:.0f} %" for limit in THRESHOLDS),
        ),
        tuple(
            (
                _name(model),
                *(with_interval(_shown(model.auc, limit), 3) for limit in THRESHOLDS),
                *(percent(_shown(model.failures, limit), digits=1) for limit in THRESHOLDS),
            )
            for model in study.models
        ),
        f"{missed} missed face{'s count as failures' if missed != 1 else ' counts as a failure'}.",
    )


def _shown(figures: dict[float, Figure], limit: float) -> Figure:
    """A figure, with its interval only at the usual threshold, so that the table stays narrow."""
    figure = figures[limit]
    return figure if limit == FAILURE_THRESHOLD else Figure(figure.value)


def _regions(study: Study) -> Table:
    return Table(
        f"NME by region in %, {study.by}",
        ("model", *REGIONS),
        tuple(
            (_name(model), *(percent(figure) for figure in model.regions.values()))
            for model in study.models
        ),
    )


def _poses(study: Study) -> Table:
    several = len(study.models) > 1
    columns: list[str] = []
    for model in study.models:
        prefix = f"{_name(model)} " if several else ""
        columns += [f"{prefix}{study.by}", f"{prefix}box"]
    if study.by == "box":
        columns = columns[::2]
    rows = []
    for index, group in enumerate(study.models[0].poses):
        cells = []
        for model in study.models:
            figures = model.poses[index]
            cells.append(percent(figures.nme, interval=not several))
            if study.by != "box":
                cells.append(percent(figures.box, interval=not several))
        rows.append((group.name, str(group.faces), str(group.missed), *cells))
    return Table(
        "NME by head pose (degrees) in %",
        ("pose", "faces", "missed", *columns),
        tuple(rows),
        "The pose is the data set's own, or fitted to the true landmarks.",
    )


def _comparisons(study: Study) -> Table:
    return Table(
        f"Paired comparison, difference of the {study.by} NME in percentage points",
        ("models", "faces", "difference", "second better on", "verdict"),
        tuple(
            (
                f"{each.second} minus {each.first}",
                str(each.faces),
                with_interval(each.difference, 3, 100),
                f"{number(100 * each.better, 0)} %",
                verdict(each),
            )
            for each in study.comparisons
        ),
        "On the faces that both were run on; below 0 the one named first is better.",
    )


def verdict(comparison: Comparison) -> str:
    """Whether the interval of a difference leaves zero out, in words."""
    value, low, high = comparison.difference
    if not (math.isfinite(low) and math.isfinite(high)):
        return "too few faces"
    if low <= 0 <= high:
        return "no clear difference"
    return f"{comparison.second if value < 0 else comparison.first} better"

"""Studies as JSON, and their faces as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..files import atomic_path, write_json
from .bootstrap import CONFIDENCE, Figure
from .evaluate import Evaluation
from .figures import ModelFigures, Study
from .metrics import NORMALISERS, REGIONS, mean_given, point_errors


def write_figures(target: str | Path, studies: Sequence[Study]) -> None:
    """Write all figures as JSON. Errors are fractions, not per cent; NaN becomes null."""
    data = [_study(each) for each in studies]
    write_json(target, {"efld_dlib": __version__, "confidence": CONFIDENCE, "data": data})


def _study(study: Study) -> dict[str, Any]:
    first = study.models[0]
    return {
        "data": study.data,
        "boxes": study.boxes,
        "faces": first.faces,
        "missed": first.missed,
        "normaliser": study.by,
        "models": [_model(model) for model in study.models],
        "comparisons": [
            {
                "first": each.first,
                "second": each.second,
                "faces": each.faces,
                "difference": _figure(each.difference),
                "second_better": _plain(each.better),
            }
            for each in study.comparisons
        ],
    }


def _model(model: ModelFigures) -> dict[str, Any]:
    path = model.path
    return {
        "name": model.name,
        "file": None if path is None else str(path),
        "bytes": path.stat().st_size if path is not None and path.is_file() else None,
        "remark": model.remark or None,
        "faces": model.faces,
        "missed": model.missed,
        "unmeasured": model.unmeasured,
        "nme": {by: _figure(figure) for by, figure in model.nme.items()},
        "median": _figure(model.median),
        "percentile_90": _figure(model.percentile90),
        "auc": {f"{limit:.2f}": _figure(figure) for limit, figure in model.auc.items()},
        "failure_rate": {
            f"{limit:.2f}": _figure(figure) for limit, figure in model.failures.items()
        },
        "regions": {name: _figure(figure) for name, figure in model.regions.items()},
        "landmarks": [_plain(error) for error in model.landmarks],
        "poses": [
            {
                "name": each.name,
                "faces": each.faces,
                "missed": each.missed,
                "nme": _figure(each.nme),
                "nme_box": _figure(each.box),
            }
            for each in model.poses
        ],
    }


def _figure(figure: Figure) -> dict[str, float | None]:
    return {name: _plain(value) for name, value in figure._asdict().items()}


def _plain(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


FACE_COLUMNS = (
    *("data", "model", "file", "face", "found", "left", "top", "width", "height"),
    "error_px",
    *(f"nme_{by.replace('-', '_')}" for by in NORMALISERS),
    *(f"nme_{name}" for name in REGIONS),
    *("yaw", "pitch", "roll"),
)


def write_faces(target: str | Path, studies: Sequence[Study]) -> None:
    """Write one row a face and model as CSV.

    ``face`` counts the faces of a picture from 0. Errors are fractions (``error_px``: pixels of the
    picture), the regions' by the study's normaliser; the box is the one the predictor started from.
    What is not known or not measured is empty.
    """
    with atomic_path(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(FACE_COLUMNS)
        for study in studies:
            for evaluation in study.evaluations:
                writer.writerows(_face_rows(study, evaluation))


def _face_rows(study: Study, evaluation: Evaluation) -> list[list[str]]:
    pixels = mean_given(point_errors(evaluation.predicted, evaluation.truth))
    columns = [
        pixels,
        *(evaluation.errors_by(by) for by in NORMALISERS),
        *(evaluation.errors_by(study.by, landmarks) for landmarks in REGIONS.values()),
        *evaluation.poses.T,
    ]
    seen: dict[Path, int] = {}
    rows = []
    for result, values in zip(evaluation.results, np.column_stack(columns), strict=True):
        number = seen[result.path] = seen.get(result.path, -1) + 1
        name = str(result.path).encode("utf-8", "replace").decode("utf-8")
        box = ("",) * 4 if result.box is None else tuple(f"{value:.2f}" for value in result.box)
        found = "0" if result.predicted is None else "1"
        numbers = [f"{value:.6f}" if math.isfinite(value) else "" for value in values]
        rows.append([study.data, evaluation.name, name, str(number), found, *box, *numbers])
    return rows

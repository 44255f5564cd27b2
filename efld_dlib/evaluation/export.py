"""Studies as JSON, and their faces as CSV."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import __version__
from ..drawing import readable
from ..errors import OptionError
from ..files import atomic_text, write_json
from ..landmarks import FACE_68, Scheme
from ..tables import for_json
from .bootstrap import CONFIDENCE
from .evaluate import Evaluation
from .figures import Study
from .metrics import NORMALISERS, mean_given, normaliser_title, point_errors, regions


def write_figures(target: str | Path, studies: Sequence[Study]) -> None:
    """Write all figures as JSON. Errors are fractions, not per cent; NaN becomes null."""
    data = [
        {name: value for name, value in vars(study).items() if name != "evaluations"}
        for study in studies
    ]
    found = {"efld_dlib": __version__, "confidence": CONFIDENCE, "data": data}
    write_json(target, for_json(found, 6))


def face_columns(scheme: Scheme = FACE_68) -> list[str]:
    """Columns of `write_faces`; the errors are by each normaliser, and by region."""
    titles = [normaliser_title(by, scheme) for by in NORMALISERS]
    return [
        *("data", "model", "file", "face", "found", "left", "top", "width", "height"),
        "error_px",
        *(f"nme_{re.sub('[^0-9A-Za-z]+', '_', title)}" for title in (*titles, *regions(scheme))),
        *("yaw", "pitch", "roll"),
    ]


def write_faces(target: str | Path, studies: Sequence[Study]) -> None:
    """Write one row a face and model as CSV.

    ``face`` counts the faces of a picture from 0. Errors are fractions (``error_px``: pixels of the
    picture), the regions' by the study's normaliser; the box is the one the predictor started from.
    What is not known or not measured is empty.

    Raises
    ------
    OptionError
        The studies are of different landmarks, which have columns of their own.
    """
    if len({study.scheme for study in studies}) > 1:
        raise OptionError(f"{target}: the data are of different landmarks: write a table for each")
    with atomic_text(target) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(face_columns(studies[0].scheme))
        for study in studies:
            for evaluation in study.evaluations:
                writer.writerows(_face_rows(study, evaluation))


def _face_rows(study: Study, evaluation: Evaluation) -> list[list[str]]:
    pixels = mean_given(point_errors(evaluation.predicted, evaluation.truth))
    columns = [
        pixels,
        *(evaluation.errors_by(by) for by in NORMALISERS),
        *(
            evaluation.errors_by(study.normaliser, landmarks)
            for landmarks in regions(study.scheme).values()
        ),
        *evaluation.poses.T,
    ]
    seen: dict[Path, int] = {}
    rows = []
    for result, values in zip(evaluation.results, np.column_stack(columns), strict=True):
        number = seen[result.path] = seen.get(result.path, -1) + 1
        name = readable(str(result.path))
        box = ("",) * 4 if result.box is None else tuple(f"{value:.2f}" for value in result.box)
        found = "0" if result.predicted is None else "1"
        numbers = [f"{value:.6f}" if math.isfinite(value) else "" for value in values]
        rows.append([study.data, evaluation.name, name, str(number), found, *box, *numbers])
    return rows

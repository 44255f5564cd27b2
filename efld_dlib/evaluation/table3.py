"""The paper's Table 3, which it announces and does not print: errors on 300-W and AFLW-19.

Measured figures stand beside published ones of the same faces and the same normaliser only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..datasets import aflw19
from ..datasets.w300 import HELEN_TEST, IBUG, LFPW_TEST, Part, read_w300
from ..errors import DataError, Problems
from .bootstrap import RESAMPLES
from .evaluate import Boxes, Evaluation, FaceResult, evaluate_models, summarise
from .metrics import box_size, mean_given, point_errors
from .published import published
from .table3_layout import Column, error_table, official_title
from .tables import Table

PARTS = {HELEN_TEST: "HELEN test", LFPW_TEST: "LFPW test", IBUG: "iBUG"}

SUBSETS: dict[str, tuple[Part, ...]] = {
    "common": (HELEN_TEST, LFPW_TEST),
    "challenging": (IBUG,),
    "full": (HELEN_TEST, LFPW_TEST, IBUG),
    "HELEN test": (HELEN_TEST,),
    "LFPW test": (LFPW_TEST,),
}

AFLW_FACES = aflw19.OFFICIAL["test"]


def table3_300w(
    models: Mapping[str, Path],
    root: Path,
    boxes: Boxes = "detector",
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
    resamples: int = RESAMPLES,
) -> list[Table]:
    """Errors on the test faces of 300-W: a table by inter-ocular, and one by inter-pupil distance.

    Parameters
    ----------
    models, boxes, jobs, problems, show_progress
        As in `protocol.evaluate_models`.
    root : Path
        A 300-W tree; a subset is reported under its official name if all of it is there.
    resamples : int
        Of the bootstrap intervals.

    Raises
    ------
    DataError
        `root` has none of the test folders.
    """
    found: dict[Part, list[Evaluation]] = {}
    for part in PARTS:
        if (root / part.folder).is_dir():
            records = read_w300(root, part.folder, problems)
            source = str(root / part.folder)
            found[part] = evaluate_models(
                models, records, boxes, jobs, problems, show_progress, source
            )
    if not found:
        raise DataError(root, f"has none of 300-W's test folders ({_folders(PARTS)})")
    counts = {part: outcomes[0].faces for part, outcomes in found.items()}
    columns = _columns(models, found, counts)
    notes = _missing(counts)
    return [
        error_table(
            f"300-W, NME in % by the {what} ({by})",
            ("300-W", by),
            models,
            columns,
            partial(_errors_by, by=by),
            boxes,
            resamples,
            notes,
        )
        for by, what in (
            ("inter-ocular", "distance of the outer eye corners"),
            ("inter-pupil", "distance of the eyes' centres"),
        )
    ]


def table3_aflw(
    models: Mapping[str, Path],
    root: Path,
    boxes: Boxes = "detector",
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
    resamples: int = RESAMPLES,
) -> Table:
    """Errors on the test faces of AFLW-19, on the 16 landmarks that the 68 have too.

    Parameters
    ----------
    root : Path
        Folder with ``AFLWinfo_release.mat`` and AFLW's pictures.
    models, boxes, jobs, problems, show_progress, resamples
        As in `table3_300w`.
    """
    records = aflw19.read_aflw19(root, "test", problems)
    outcomes = evaluate_models(models, records, boxes, jobs, problems, show_progress, str(root))
    faces = outcomes[0].faces
    results: dict[str, Sequence[FaceResult]] = {each.name: each.results for each in outcomes}
    title, subset = official_title("AFLW-19 test", "test", faces, AFLW_FACES)
    columns = [Column(title, subset, results)]
    if not subset:
        columns.append(Column(f"AFLW-19 test ({AFLW_FACES})", "test", {}))
    return error_table(
        "AFLW-19, NME in % by the size of the visible landmarks' box",
        ("AFLW-19", "box"),
        models,
        columns,
        visible_box_errors,
        boxes,
        resamples,
        [
            "Measured on 16 of the 19 landmarks: 68-point models have no centre of an eye or of "
            "the mouth. Published figures are of all 19."
        ],
    )


def _errors_by(results: Sequence[FaceResult], by: str) -> FloatArray:
    return summarise(results).errors_by(by)


def visible_box_errors(results: Sequence[FaceResult]) -> FloatArray:
    """Error of each face by the box of the landmarks that its data set calls visible, (faces,).

    Infinite for a missed face; NaN where no landmark is visible or can be compared.
    """
    errors = np.full(len(results), np.inf)
    for index, result in enumerate(results):
        if result.predicted is None:
            continue
        points, hidden = result.truth, None
        if result.face is not None:
            points, hidden = result.face.points, result.face.occluded
        size = box_size(points if hidden is None else np.where(hidden[:, None], np.nan, points))
        error = mean_given(point_errors(result.predicted, result.truth))
        errors[index] = error / size if size > 0 else np.nan
    return errors


def _columns(
    models: Mapping[str, Path], found: dict[Part, list[Evaluation]], counts: dict[Part, int]
) -> list[Column]:
    whole = {part for part, count in counts.items() if count == part.official}
    columns = []
    for subset, parts in SUBSETS.items():
        title = f"{subset} ({sum(part.official for part in parts)})"
        results: dict[str, Sequence[FaceResult]] = {}
        if whole.issuperset(parts):
            results = {
                name: [face for part in parts for face in found[part][number].results]
                for number, name in enumerate(models)
            }
        if results or any(each.subset == subset for each in published()):
            columns.append(Column(title, subset, results))
    for part, outcomes in found.items():
        if part not in whole:
            title, _ = official_title(PARTS[part], "", counts[part], part.official)
            columns.append(Column(title, "", {each.name: each.results for each in outcomes}))
    return columns


def _missing(counts: dict[Part, int]) -> list[str]:
    notes = []
    for part, name in PARTS.items():
        if counts.get(part) == part.official:
            continue
        state = "is missing" if part not in counts else f"has {counts[part]} faces"
        lost = [subset for subset, parts in SUBSETS.items() if part in parts and subset != name]
        notes.append(f"{name} ({part.official}) {state}: no figure for {' and '.join(lost)}.")
    return notes


def _folders(parts: Mapping[Part, str]) -> str:
    return ", ".join(part.folder for part in parts)

"""The paper's Table 3: errors on 300-W and AFLW-19 beside published ones."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from efld_dlib.boxes import FloatArray
from efld_dlib.cli.evaluate import boxes_option, resamples_option
from efld_dlib.cli.model import models_or_package, split_arguments
from efld_dlib.cli.options import finish, jobs_option, strict_option, warn
from efld_dlib.datasets import aflw19
from efld_dlib.datasets.w300 import HELEN_TEST, IBUG, LFPW_TEST, Part, read_w300
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.evaluation.bootstrap import RESAMPLES, Bootstrap, with_interval
from efld_dlib.evaluation.evaluate import Boxes, Evaluation, FaceResult, evaluate_models
from efld_dlib.evaluation.figures import trained_on_300w_test
from efld_dlib.evaluation.metrics import box_size, mean_given, point_errors
from efld_dlib.tables import DASH, Table

from .results import output_option, tell

if TYPE_CHECKING:
    from efld_dlib.evaluation.evaluate import Boxes


@dataclass(frozen=True)
class Published:
    """A figure from the literature.

    Parameters
    ----------
    method : str
    data, subset : str
        The set, and the part of it that is official under that name.
    normaliser : str
        A key of `metrics.NORMALISERS`.
    nme_percent : float
    source : str
        Who says so.
    """

    method: str
    data: str
    subset: str
    normaliser: str
    nme_percent: float
    source: str


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """All figures, in the order of the file."""
    text = Path(__file__).with_name("published.csv").read_text(encoding="utf-8")
    return tuple(
        Published(
            row["method"],
            row["data"],
            row["subset"],
            row["normaliser"],
            float(row["nme_percent"]),
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@dataclass(frozen=True)
class Column:
    """Faces to measure on.

    Parameters
    ----------
    title : str
    subset : str
        Published figures of this name stand in the column; none if it is empty.
    results : dict of str to sequence of FaceResult
        By model; empty where there are no pictures.
    """

    title: str
    subset: str
    results: dict[str, Sequence[FaceResult]]


def official_title(name: str, subset: str, faces: int, official: int) -> tuple[str, str]:
    """Title of a column, and the name of the published figures that belong into it.

    Published figures are of all `official` faces; beside fewer there are none.
    """
    if faces == official:
        return f"{name} ({official})", subset
    return f"{name} ({faces} of {official})", ""


def error_table(
    title: str,
    kind: tuple[str, str],
    models: Mapping[str, Path],
    columns: list[Column],
    errors: Callable[[Sequence[FaceResult]], FloatArray],
    boxes: str,
    resamples: int,
    notes: list[str],
) -> Table:
    """A row a model and a row a published method.

    Parameters
    ----------
    title : str
    kind : tuple of str
        The data set and the normaliser of the published figures to show.
    models : mapping of str to Path
    columns : list of Column
        Those with neither a measured nor a published figure are left out.
    errors : callable
        Errors of the faces, as fractions: infinite for a missed one, NaN for one not measured.
    boxes : str
        Where the predictors started.
    resamples : int
    notes : list of str
        Sentences to put below.
    """
    data, by = kind
    others = [each for each in published() if (each.data, each.normaliser) == (data, by)]
    named = {each.subset for each in others}
    columns = [each for each in columns if each.results or each.subset in named]
    sources = list(dict.fromkeys(each.source for each in others))
    rows = []
    for name, path in models.items():
        remark = " (trained on these faces)" if trained_on_300w_test(path) else ""
        cells = [_measured(each.results.get(name, ()), errors, resamples) for each in columns]
        rows.append((f"{name}, measured here{remark}", *cells))
    for method in dict.fromkeys(each.method for each in others):
        own = [each for each in others if each.method == method]
        number = sources.index(own[0].source) + 1
        rows.append((f"{method} [{number}]", *(_published(own, each.subset) for each in columns)))
    said = [
        f"Measured with boxes: {boxes}; mean of the found faces, 95 % bootstrap interval, "
        "missed faces counted beside it.",
        *notes,
        *(f"[{number}] {source}." for number, source in enumerate(sources, 1)),
    ]
    return Table(title, ("method", *(each.title for each in columns)), tuple(rows), "\n".join(said))


def _measured(
    results: Sequence[FaceResult],
    errors: Callable[[Sequence[FaceResult]], FloatArray],
    resamples: int,
) -> str:
    if not results:
        return DASH
    missed = sum(result.predicted is None for result in results)
    figure = Bootstrap(len(results), resamples).mean(errors(results))
    return with_interval(figure, 2, 100) + (f", {missed} missed" if missed else "")


def _published(figures: Sequence[Published], subset: str) -> str:
    return next((f"{each.nme_percent:.2f}" for each in figures if each.subset == subset), DASH)


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
    boxes: Boxes = "pipeline",
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
    resamples: int = RESAMPLES,
) -> list[Table]:
    """Errors on the test faces of 300-W: a table by inter-ocular, and one by inter-pupil distance.

    Parameters
    ----------
    models, boxes, jobs, problems, show_progress
        As in `evaluate.evaluate_models`.
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
            records = read_w300(root, part.folder, problems=problems)
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
    boxes: Boxes = "pipeline",
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
    records = aflw19.read_aflw19(root, "test", problems=problems)
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
    return Evaluation(results).errors_by(by)


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


_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("arguments", nargs=-1, metavar="[MODEL]...")
@click.option("--data", type=_FOLDER, help="A 300-W tree.")
@click.option("--aflw", type=_FOLDER, help="Folder with AFLWinfo_release.mat and AFLW's pictures.")
@boxes_option
@resamples_option
@output_option
@jobs_option
@strict_option
@click.pass_context
def table3(
    ctx: click.Context,
    arguments: tuple[str, ...],
    data: Path | None,
    aflw: Path | None,
    boxes: Boxes,
    resamples: int,
    output: Path | None,
    jobs: int | None,
    strict: bool,
) -> None:
    """Print the paper's Table 3 in Markdown: errors of MODELs on the test faces of 300-W and
    AFLW-19, and the published figures of other methods.

    A MODEL is a file ending in .dat or .efld; NAME=FILE gives it a name, and without one the model
    of the package is measured. A subset is reported under its official name only if all its faces
    are there, and figures with different normalisers stand in different tables.

    \b
    Examples:
      python -m tools.benchmarks table3 build/efld.dat --data 300w/
      python -m tools.benchmarks table3 new=n.dat old=o.dat --data 300w/ --aflw aflw19/ -o t3.json
    """
    from efld_dlib.models.loading import model_scheme

    models, others = split_arguments(arguments)
    if others:
        raise OptionError(f"{others[0]} is no model (.dat or .efld); data is given with --data")
    if data is None and aflw is None:
        raise OptionError("no data is given: say --data 300W_ROOT, --aflw ROOT or both")
    models = models_or_package(models)
    for path in models.values():
        model_scheme(path)
    problems = Problems(strict, warn)
    tables = []
    if data is not None:
        tables += table3_300w(models, data, boxes, jobs, problems, True, resamples)
    if aflw is not None:
        tables.append(table3_aflw(models, aflw, boxes, jobs, problems, True, resamples))
    tell(tables, output)
    finish(ctx, problems)

"""Tables with measured figures above published ones of the same faces and normaliser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..boxes import FloatArray
from .bootstrap import Bootstrap
from .evaluate import FaceResult
from .figures import trained_on_300w_test
from .published import Published, published
from .tables import DASH, Table, with_interval


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

"""The report: a page of tables, charts, and faces with true and predicted landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from .. import __version__
from ..boxes import Box, FloatArray, annotated
from ..drawing import cut_out, escaped, jpeg_address
from ..errors import DataError, MissingDependencyError
from ..files import write_text
from ..images import read_image
from ..tables import as_html, number
from .bootstrap import percent
from .charts import ced_image, colour, heat, shape_svg
from .evaluate import FaceResult
from .figures import ModelFigures, Study, study_tables, summary
from .metrics import FAILURE_THRESHOLD

TILE = 240
"""Side of a face's picture in its own pixels."""

MARGIN = 0.15
"""Picture kept around the landmarks, as a fraction of the longer side of their box."""

MAX_SPREAD = 1.8
"""A prediction that is far off does not make the true face smaller than by this factor."""

WORST, MEDIAN, MISSED = 10, 5, 10
"""How many faces are shown of each kind."""


def shown_faces(
    errors: FloatArray, worst: int = WORST, median: int = MEDIAN
) -> dict[str, list[int]]:
    """Numbers of the faces with the largest finite errors, and of those about the median."""
    order = np.argsort(errors, kind="stable")
    ranked = [int(index) for index in order if np.isfinite(errors[index])]
    start = max(0, (len(ranked) - median) // 2)
    return {"worst": ranked[::-1][:worst], "median": ranked[start : start + median]}


def _gallery(title: str, results: Sequence[FaceResult], errors: Sequence[float]) -> str:
    """Faces side by side, each with its error as a fraction; nothing if there is none."""
    if not results:
        return ""
    tiles = "\n".join(map(_tile, results, errors))
    return f'<h3>{escaped(title)}</h3><div class="gallery">{tiles}</div>'


def _tile(result: FaceResult, error: float) -> str:
    square = _square(result)
    scale = TILE / square.width
    shift = -scale * np.array([square.left, square.top]) + (scale - 1) / 2
    picture = jpeg_address(cut_out(read_image(result.path), scale, shift, TILE))
    parts = [f'<image width="{TILE}" height="{TILE}" href="{picture}"/>']
    if result.box is not None:
        left, top = scale * np.array(result.box[:2]) + shift
        width, height = scale * np.array(result.box[2:])
        parts.append(
            f'<rect class="box" x="{left:.1f}" y="{top:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}"/>'
        )
    truth, said = scale * result.truth + shift, "missed"
    if result.predicted is not None:
        predicted, said = scale * result.predicted + shift, f"{number(100 * error)} %"
        parts += [_gaps(truth, predicted), _dots(predicted, "predicted")]
    parts.append(_dots(truth, "truth"))
    name = escaped("/".join(result.path.parts[-2:]))
    return (
        f'<figure><svg viewBox="0 0 {TILE} {TILE}" role="img" aria-label="{name}">'
        f'{"".join(parts)}</svg><figcaption title="{escaped(str(result.path))}">'
        f"<b>{said}</b> {name}</figcaption></figure>"
    )


def _gaps(truth: FloatArray, predicted: FloatArray) -> str:
    both = annotated(truth) & annotated(predicted)
    path = "".join(
        f"M{a:.1f},{b:.1f}L{c:.1f},{d:.1f}"
        for (a, b), (c, d) in zip(truth[both], predicted[both], strict=True)
    )
    return f'<path class="gap" d="{path}"/>'


def _dots(points: FloatArray, kind: str) -> str:
    circles = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.9"/>' for x, y in points[annotated(points)]
    )
    return f'<g class="{kind}">{circles}</g>'


def _square(result: FaceResult) -> Box:
    """The part of the picture to show."""
    shown = own = Box.around(result.truth)
    if result.predicted is not None:
        shown = Box.around(np.vstack([result.truth, result.predicted]))
    side, most = max(shown.width, shown.height), MAX_SPREAD * max(own.width, own.height)
    if side > most:
        shown, side = own, most
    side *= 1 + 2 * MARGIN
    x, y = shown.center
    return Box(x - side / 2, y - side / 2, side, side)


PAGE = "index.html"

_SWITCHES = """<p class="switches"><label for="show-truth" class="truth">truth</label>
<label for="show-predicted" class="predicted">prediction</label>
<label for="show-box" class="box">starting box</label></p>
"""


def write_report(folder: str | Path, studies: Sequence[Study]) -> Path:
    """Write the page.

    Parameters
    ----------
    folder : path
        Made where it is missing; gets ``index.html``.
    studies : sequence of Study
        With the same models.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        `folder` is a file, or a picture to show cannot be read any more.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataError(folder, "is a file; a report needs a folder")
    target = folder / PAGE
    write_text(target, report_page(studies))
    return target


def report_page(studies: Sequence[Study]) -> str:
    """The page's HTML."""
    page = files("efld_dlib.data").joinpath("report.html").read_text(encoding="utf-8")
    return Template(page).substitute(
        models=", ".join(escaped(model.name) for model in studies[0].models),
        sections="".join(map(_section, studies)),
        version=__version__,
    )


def _section(study: Study) -> str:
    cards = "".join(_card(index, model, study) for index, model in enumerate(study.models))
    error, *others = map(as_html, study_tables(study))
    return (
        f"<section><h2>{escaped(study.data)}</h2><p>{escaped(summary(study))}</p>"
        f'<div class="cards">{cards}</div>{error}'
        f"<h3>Error distribution</h3>{_curve(study)}"
        f"{_mean_faces(study)}{''.join(others)}{_SWITCHES}{_galleries(study)}</section>\n"
    )


def _curve(study: Study) -> str:
    try:
        return ced_image(study)
    except MissingDependencyError as error:
        return f'<p class="note">Not drawn: {escaped(str(error))}</p>'


def _card(index: int, model: ModelFigures, study: Study) -> str:
    nme = model.nme[study.normaliser]
    interval = f"95 %: {100 * nme.low:.2f} to {100 * nme.high:.2f}" if np.isfinite(nme.low) else ""
    failures = percent(model.failure_rate[FAILURE_THRESHOLD], interval=False, digits=1)
    remark = f'<p class="remark">{escaped(model.remark)}</p>' if model.remark else ""
    return (
        f'<div class="card" style="border-top-color:{colour(index)}"><h3>{escaped(model.name)}</h3>'
        f'<p class="big">{percent(nme, interval=False)} %</p><p>NME, {escaped(study.title)}</p>'
        f"<p>{interval}</p><p>{failures} % of the faces above {100 * FAILURE_THRESHOLD:.0f} %</p>"
        f"{remark}</div>"
    )


def _mean_faces(study: Study) -> str:
    known = np.concatenate([model.landmarks for model in study.models])
    worst = float(np.nanmax(known)) if np.isfinite(known).any() else 0.0
    drawings = "".join(
        f"<figure>{shape_svg(model, study, worst)}"
        f"<figcaption>{escaped(model.name)}</figcaption></figure>"
        for model in study.models
    )
    colours = ", ".join(map(heat, np.linspace(0, 1, 4)))
    scale = "A circle's radius is its landmark's mean error" + (
        ", to the scale of the shape" if study.normaliser == "inter-ocular" else ""
    )
    thing = "face" if study.scheme.face else "shape"
    return (
        f'<h3>Error on the mean {thing}</h3><div class="faces">{drawings}</div>'
        f'<p class="note">{scale}; colours run from 0 <span class="ramp" '
        f'style="background:linear-gradient(90deg, {colours})"></span> to {100 * worst:.1f} %.</p>'
    )


def _galleries(study: Study) -> str:
    parts = []
    for evaluation in study.evaluations:
        errors = evaluation.errors_by(study.normaliser)
        for kind, chosen in shown_faces(errors).items():
            results = [evaluation.results[index] for index in chosen]
            title = f"{evaluation.name}: {kind} faces"
            parts.append(_gallery(title, results, errors[chosen].tolist()))
    first = study.evaluations[0]
    missed = [result for result in first.results if result.predicted is None][:MISSED]
    shown = f", {len(missed)} of {first.missed}" if len(missed) < first.missed else ""
    parts.append(_gallery(f"Missed faces{shown}", missed, [np.inf] * len(missed)))
    return "".join(parts)

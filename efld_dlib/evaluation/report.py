"""Faces of the report: the picture with the true and the predicted landmarks drawn over it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from .. import __version__
from ..boxes import Box, FloatArray, annotated
from ..drawing import to_rgb
from ..errors import DataError
from ..files import write_text
from ..images import Image, read_image
from .charts import ced_svg, colour, face_svg, heat
from .evaluate import Evaluation, FaceResult
from .figures import ModelFigures, Study
from .metrics import FAILURE_THRESHOLD
from .tables import as_html, escaped, number, percent, study_tables, summary

TILE = 240
"""Side of a face's picture in its own pixels."""

MARGIN = 0.15
"""Picture kept around the landmarks, as a fraction of the longer side of their box."""

MAX_SPREAD = 1.8
"""A prediction that is far off does not make the true face smaller than by this factor."""

WORST, MEDIAN, MISSED = 10, 5, 10
"""How many faces are shown of each kind."""


def worst_faces(errors: FloatArray, count: int = WORST) -> list[int]:
    """Faces with the largest finite errors, the largest first."""
    return _ranked(errors)[::-1][:count]


def median_faces(errors: FloatArray, count: int = MEDIAN) -> list[int]:
    """Faces about the median error, by their error."""
    ranked = _ranked(errors)
    start = max(0, (len(ranked) - count) // 2)
    return ranked[start : start + count]


def missed_faces(evaluation: Evaluation, count: int = MISSED) -> list[int]:
    """The first faces that were not found."""
    return [int(index) for index in np.flatnonzero(~evaluation.found)[:count]]


def _ranked(errors: FloatArray) -> list[int]:
    order = np.argsort(errors, kind="stable")
    return [int(index) for index in order if np.isfinite(errors[index])]


def gallery(results: Sequence[FaceResult], errors: Sequence[float]) -> str:
    """Faces side by side, each with its error as a fraction."""
    tiles = "\n".join(_tile(result, error) for result, error in zip(results, errors, strict=True))
    return f'<div class="gallery">{tiles}</div>'


def _tile(result: FaceResult, error: float) -> str:
    image = read_image(result.path)
    square = _square(result)
    scale = TILE / square.width
    shift = -scale * np.array([square.left, square.top]) + (scale - 1) / 2
    parts = [f'<image width="{TILE}" height="{TILE}" href="{_jpeg(image, scale, shift)}"/>']
    if result.box is not None:
        left, top = scale * np.array(result.box[:2]) + shift
        width, height = scale * np.array(result.box[2:])
        parts.append(
            f'<rect class="box" x="{left:.1f}" y="{top:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}"/>'
        )
    truth = scale * result.truth + shift
    if result.predicted is not None:
        parts.append(_points(truth, scale * result.predicted + shift))
    parts.append(_dots(truth, "truth"))
    said = "missed" if result.predicted is None else f"{number(100 * error)} %"
    name = "/".join(result.path.parts[-2:])
    return (
        f'<figure><svg viewBox="0 0 {TILE} {TILE}" role="img" aria-label="{escaped(name)}">'
        f"{''.join(parts)}</svg>"
        f'<figcaption title="{escaped(str(result.path))}"><b>{said}</b> {escaped(name)}'
        "</figcaption></figure>"
    )


def _points(truth: FloatArray, predicted: FloatArray) -> str:
    both = annotated(truth) & annotated(predicted)
    path = "".join(
        f"M{a:.1f},{b:.1f}L{c:.1f},{d:.1f}"
        for (a, b), (c, d) in zip(truth[both], predicted[both], strict=True)
    )
    return f'<path class="gap" d="{path}"/>{_dots(predicted, "predicted")}'


def _dots(points: FloatArray, kind: str) -> str:
    circles = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.9"/>' for x, y in points[annotated(points)]
    )
    return f'<g class="{kind}">{circles}</g>'


def _square(result: FaceResult) -> Box:
    """The part of the picture to show."""
    own = Box.around(result.truth)
    shown = own
    if result.predicted is not None:
        shown = Box.around(np.vstack([result.truth, result.predicted]))
    side = max(own.width, own.height)
    center = np.array(own.center)
    if max(shown.width, shown.height) <= MAX_SPREAD * side:
        side, center = max(shown.width, shown.height), np.array(shown.center)
    else:
        side *= MAX_SPREAD
    side *= 1 + 2 * MARGIN
    return Box(center[0] - side / 2, center[1] - side / 2, side, side)


def _jpeg(image: Image, scale: float, shift: FloatArray) -> str:
    """The shown part of the picture as a data address."""
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    # Averaging over a pixel of the tile first keeps large photographs from sparkling.
    smooth = cv2.blur(image, (round(1 / scale),) * 2) if scale < 0.5 else image
    tile = to_rgb(cast(Image, cv2.warpAffine(smooth, matrix, (TILE, TILE))))
    good, data = cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR))
    assert good
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


PAGE = "index.html"

_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style></head><body>
<header><h1>{title}</h1><p>{models}</p></header>
"""

_SWITCHES = """<input type="checkbox" id="show-truth" checked>
<input type="checkbox" id="show-predicted" checked>
<input type="checkbox" id="show-box">
<main>
"""

_SWITCH_BAR = """<p class="switches"><label for="show-truth" class="truth">truth</label>
<label for="show-predicted" class="predicted">prediction</label>
<label for="show-box" class="box">starting box</label></p>
"""

_NOTES = """<section class="notes"><h2>How to read this</h2><ul>
<li>The error of a face is the mean distance of its predicted landmarks from the true ones, divided
by the distance of the true outer eye corners (inter-ocular), of the eyes' centres (inter-pupil), or
by the square root of width times height of the landmarks' tight box. NME is its mean over the found
faces. The three are not to be compared with each other.</li>
<li>AUC is the area under the error curve up to a threshold, divided by the threshold; the failure
rate is the share of faces above it. Both count every face: a missed one is a failure.</li>
<li>Intervals are bootstrap percentile intervals of 95 %, with the faces drawn anew. They tell how
much the choice of test faces matters, and nothing of training anew.</li>
<li>The pictures are the data set's, under its licence.</li>
</ul></section>
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
    style = files("efld_dlib.data").joinpath("report.css").read_text(encoding="utf-8")
    names = ", ".join(escaped(model.name) for model in studies[0].models)
    parts = [_HEAD.format(title="Landmark evaluation", style=style, models=names), _SWITCHES]
    parts += [_section(study) for study in studies]
    parts += [_NOTES, f"</main><footer>efld-dlib {__version__}</footer></body></html>\n"]
    return "".join(parts)


def _section(study: Study) -> str:
    cards = "".join(_card(index, model, study.by) for index, model in enumerate(study.models))
    error, *others = map(as_html, study_tables(study))
    return (
        f"<section><h2>{escaped(study.data)}</h2><p>{escaped(summary(study))}</p>"
        f'<div class="cards">{cards}</div>{error}'
        f"<h3>Error distribution</h3>{ced_svg(study)}"
        f"{_mean_faces(study)}{''.join(others)}{_galleries(study)}</section>\n"
    )


def _card(index: int, model: ModelFigures, by: str) -> str:
    nme = model.nme[by]
    interval = f"95 %: {100 * nme.low:.2f} to {100 * nme.high:.2f}" if np.isfinite(nme.low) else ""
    failures = percent(model.failures[FAILURE_THRESHOLD], interval=False, digits=1)
    remark = f'<p class="remark">{escaped(model.remark)}</p>' if model.remark else ""
    return (
        f'<div class="card" style="border-top-color:{colour(index)}"><h3>{escaped(model.name)}</h3>'
        f'<p class="big">{percent(nme, interval=False)} %</p><p>NME, {escaped(by)}</p>'
        f"<p>{interval}</p><p>{failures} % of the faces above {100 * FAILURE_THRESHOLD:.0f} %</p>"
        f"{remark}</div>"
    )


def _mean_faces(study: Study) -> str:
    known = np.concatenate([model.landmarks for model in study.models])
    worst = float(np.nanmax(known)) if np.isfinite(known).any() else 0.0
    drawings = "".join(
        f"<figure>{face_svg(model, study.by, worst)}"
        f"<figcaption>{escaped(model.name)}</figcaption></figure>"
        for model in study.models
    )
    colours = ", ".join(heat(step / 8) for step in range(9))
    scale = "A circle's radius is its landmark's mean error" + (
        ", to the scale of the face" if study.by == "inter-ocular" else ""
    )
    return (
        f'<h3>Error on the mean face</h3><div class="faces">{drawings}</div>'
        f'<p class="note">{scale}; colours run from 0 <span class="ramp" '
        f'style="background:linear-gradient(90deg, {colours})"></span> to {100 * worst:.1f} %.</p>'
    )


def _galleries(study: Study) -> str:
    parts = [_SWITCH_BAR]
    for evaluation in study.evaluations:
        errors = evaluation.errors_by(study.by)
        groups = {"worst": worst_faces(errors), "median": median_faces(errors)}
        for title, chosen in groups.items():
            if chosen:
                parts.append(
                    f"<h3>{escaped(evaluation.name)}: {title} faces</h3>"
                    + gallery([evaluation.results[i] for i in chosen], [errors[i] for i in chosen])
                )
    first = study.evaluations[0]
    if missed := missed_faces(first):
        shown = f", {len(missed)} of {first.missed}" if len(missed) < first.missed else ""
        faces = gallery([first.results[i] for i in missed], [np.inf] * len(missed))
        parts.append(f"<h3>Missed faces{shown}</h3>{faces}")
    return "".join(parts)

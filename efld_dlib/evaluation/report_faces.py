"""Faces of the report: the picture with the true and the predicted landmarks drawn over it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np

from ..boxes import Box, FloatArray, annotated
from ..drawing import to_rgb
from ..images import Image, read_image
from .results import Evaluation, FaceResult
from .tables import escaped, number

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

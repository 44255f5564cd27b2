"""Drawings of the report as inline SVG: error curves, and errors on the mean face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..boxes import FloatArray
from ..pose import mean_face_3d
from .ced import COLOURS, LIMIT, ced_curve
from .figures import ModelFigures, Study
from .metrics import FAILURE_THRESHOLD
from .tables import escaped, number

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 14, 46

_EYE_DISTANCE = 150.0
_FACE_VIEW = (-145, -72, 400, 284)

# Lines through the landmarks, and whether they close.
_LINES = (
    (range(17), False),
    (range(17, 22), False),
    (range(22, 27), False),
    (range(27, 31), False),
    (range(31, 36), False),
    (range(36, 42), True),
    (range(42, 48), True),
    (range(48, 60), True),
    (range(60, 68), True),
)

# Height at which the figure of each region stands beside the face, in eye distances.
_LABELS = {"brows": -0.22, "eyes": 0.06, "nose": 0.36, "mouth": 0.76, "jaw": 1.06}
_LABEL_X = 0.98 * _EYE_DISTANCE


def ced_svg(study: Study) -> str:
    """The error curves of all models, with the failure threshold marked."""
    parts = [_axes(study.by)]
    for index, model in enumerate(study.evaluations):
        errors, share = ced_curve(model.errors_by(study.by))
        corners = [f"M{_x(errors[0]):.1f},{_y(share[0]):.1f}"]
        for error, height in zip(errors[1:], share[1:], strict=True):
            corners.append(f"H{_x(error):.1f}V{_y(height):.1f}")
        parts.append(
            f'<path class="curve" stroke="{colour(index)}" d="{"".join(corners)}">'
            f"<title>{escaped(model.name)}</title></path>"
        )
    parts.append(_legend(study.models, study.by))
    label = f"Share of the faces by error, {escaped(study.data)}"
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def colour(index: int) -> str:
    """The colour of a model, by its place."""
    return COLOURS[index % len(COLOURS)]


def _x(error: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * error / LIMIT


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _axes(by: str) -> str:
    parts = []
    for percent in range(0, 101, 20):
        y = _y(percent / 100)
        parts.append(f'<path class="grid" d="M{_LEFT},{y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
    for percent in range(0, round(100 * LIMIT) + 1, 2):
        x = _x(percent / 100)
        parts.append(f'<path class="grid" d="M{x:.1f},{_TOP}V{_HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{percent}</text>'
        )
    x = _x(FAILURE_THRESHOLD)
    parts.append(f'<path class="threshold" d="M{x:.1f},{_TOP}V{_HEIGHT - _BOTTOM}"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escaped(by)} error, %'
        "</text>"
        f'<text transform="translate(14,{(_TOP + _HEIGHT - _BOTTOM) / 2}) rotate(-90)" '
        'text-anchor="middle">faces with at most this error, %</text>'
    )
    return "".join(parts)


def _legend(models: Sequence[ModelFigures], by: str) -> str:
    bottom = _HEIGHT - _BOTTOM - 16
    parts = []
    for index, model in enumerate(models):
        y = bottom - 20 * (len(models) - 1 - index)
        x = _WIDTH - _RIGHT - 14
        text = f"{model.name}: NME {number(100 * model.nme[by].value)} %"
        parts.append(
            f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{colour(index)}"/>'
            f'<text class="key" x="{x - 12}" y="{y}" text-anchor="end">{escaped(text)}</text>'
        )
    return "".join(parts)


def face_svg(model: ModelFigures, by: str, worst: float) -> str:
    """Errors on the mean face.

    Parameters
    ----------
    model : ModelFigures
    by : str
        The normaliser. By "inter-ocular" the circles are true to scale; by another they are drawn
        as if it were that distance.
    worst : float
        The error of the strongest colour, the same for all models that are to be compared.
    """
    face = mean_face_3d()[:, :2] * _EYE_DISTANCE
    lines = "".join(_line(face[list(indices)], closed) for indices, closed in _LINES)
    circles = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{max(error * _EYE_DISTANCE, 0.8):.1f}" '
        f'fill="{heat(error / worst if worst > 0 else 0)}">'
        f"<title>landmark {index}: {100 * error:.2f} %</title></circle>"
        for index, ((x, y), error) in enumerate(zip(face, model.landmarks, strict=True))
        if np.isfinite(error)
    )
    labels = "".join(
        f'<text x="{_LABEL_X:.0f}" y="{height * _EYE_DISTANCE:.0f}">'
        f"{name} {number(100 * model.regions[name].value)} %</text>"
        for name, height in _LABELS.items()
    )
    view = " ".join(map(str, _FACE_VIEW))
    label = f"Error of each landmark of {escaped(model.name)} by {escaped(by)}"
    return (
        f'<svg class="face" viewBox="{view}" role="img" aria-label="{label}">'
        f"{lines}{circles}{labels}</svg>"
    )


def heat(strength: float) -> str:
    """A colour from yellow (0) over red to purple (1)."""
    stops = np.array([[250, 204, 21], [234, 88, 12], [190, 18, 60], [88, 28, 135]])
    place = float(np.clip(strength, 0, 1)) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    mixed = stops[low] + (place - low) * (stops[low + 1] - stops[low])
    return "#" + "".join(f"{round(value):02x}" for value in mixed)


def _line(points: FloatArray, closed: bool) -> str:
    path = "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<path class="outline" d="M{path}{"Z" if closed else ""}"/>'

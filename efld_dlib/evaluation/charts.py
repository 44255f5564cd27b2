"""The cumulative error distribution (CED): which share of the faces has at most which error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError, MissingDependencyError
from ..files import atomic_path
from ..pose import mean_face_3d
from .figures import ModelFigures, Study
from .metrics import FAILURE_THRESHOLD
from .tables import escaped, number

LIMIT = 0.10
"""Error up to which the curve is drawn."""

SUFFIXES = (".png", ".svg", ".pdf")

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which the colour-blind can tell apart; they come again for further models."""


def ced_curve(errors: FloatArray, limit: float = LIMIT) -> tuple[FloatArray, FloatArray]:
    """Corners of the staircase.

    Parameters
    ----------
    errors : array, shape (faces,)
        Infinite for a missed face; NaN ones are left out.
    limit : float
        Where the curve ends.

    Returns
    -------
    error, share : array, shape (steps,)
        The share of faces with at most that error, from error 0 to `limit`.

    Examples
    --------
    >>> error, share = ced_curve(np.array([0.05, 0.02, np.inf, 0.2]), limit=0.1)
    >>> error.tolist(), share.tolist()
    ([0.0, 0.02, 0.05, 0.1], [0.0, 0.25, 0.5, 0.5])
    """
    counted = errors[~np.isnan(errors)]
    reached = np.sort(counted[counted <= limit])
    share = np.arange(1, len(reached) + 1) / max(len(counted), 1)
    last = share[-1] if len(share) else 0.0
    return np.concatenate([[0.0], reached, [limit]]), np.concatenate([[0.0], share, [last]])


def require_plotting(target: Path) -> None:
    """Fail early where `plot_ced` would fail late.

    Raises
    ------
    DataError
        The suffix is none of `SUFFIXES`.
    MissingDependencyError
        matplotlib is not installed.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise DataError(target, f"ends in none of {', '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "a CED plot needs matplotlib: pip install matplotlib (the report page draws the curve "
            "without it)"
        ) from error


def plot_ced(target: str | Path, studies: Sequence[Study]) -> None:
    """Draw the CED of all models, one panel a set of faces, with matplotlib.

    Parameters
    ----------
    target : path
        With one of `SUFFIXES`.
    studies : sequence of Study

    Raises
    ------
    DataError, MissingDependencyError
        As in `require_plotting`.
    """
    target = Path(target)
    require_plotting(target)
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(5.6 * len(studies), 4.2), layout="constrained")
    panels = drawing.subplots(1, len(studies), squeeze=False)[0]
    for panel, study in zip(panels, studies, strict=True):
        for index, model in enumerate(study.evaluations):
            errors, share = ced_curve(model.errors_by(study.by))
            label = f"{_plain(model.name)} ({100 * study.models[index].nme[study.by].value:.2f} %)"
            colour = COLOURS[index % len(COLOURS)]
            panel.step(100 * errors, 100 * share, where="post", color=colour, label=label)
        panel.set(
            xlim=(0, 100 * LIMIT),
            ylim=(0, 100),
            xlabel=f"{study.by} error, %",
            ylabel=f"faces, % of all {study.models[0].faces}",
            title=_plain(study.data),
        )
        panel.grid(alpha=0.3)
        panel.legend(loc="lower right", title="model (NME of the found faces)")
    with atomic_path(target) as temporary:
        # Without a date, the same figures give the same file.
        empty = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        drawing.savefig(temporary, dpi=150, metadata=empty.get(target.suffix.lower()))


def _plain(text: str) -> str:
    # Between two dollar signs matplotlib reads mathematics.
    return text.encode("utf-8", "replace").decode("utf-8").replace("$", r"\$")


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

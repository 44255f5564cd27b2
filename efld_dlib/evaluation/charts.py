"""Charts: the cumulative error distribution (CED), which says which share of the faces has at most
which error, and the errors on the mean face.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..drawing import escaped, readable
from ..errors import DataError, MissingDependencyError
from ..files import atomic_path
from ..pose import mean_face_3d
from .bootstrap import percent
from .figures import ModelFigures, Study
from .metrics import FAILURE_THRESHOLD

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


def colour(index: int) -> str:
    """The colour of a model, by its place."""
    return COLOURS[index % len(COLOURS)]


def _curves(study: Study) -> Iterator[tuple[str, str, FloatArray, FloatArray]]:
    """Label, colour and corners of each model's curve."""
    for index, (model, own) in enumerate(zip(study.models, study.evaluations, strict=True)):
        nme = percent(model.nme[study.normaliser], interval=False)
        name = f"{readable(model.name)}: NME {nme} %"
        yield name, colour(index), *ced_curve(own.errors_by(study.normaliser))


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
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(5.6 * len(studies), 4.2), layout="constrained")
    panels = drawing.subplots(1, len(studies), squeeze=False)[0]
    for panel, study in zip(panels, studies, strict=True):
        # A name may have dollar signs, between which matplotlib would read mathematics.
        with rc_context({"text.parse_math": False}):
            for name, hue, errors, share in _curves(study):
                panel.step(100 * errors, 100 * share, where="post", color=hue, label=name)
            panel.set_title(readable(study.data))
            panel.legend(loc="lower right", title="NME of the found faces")
        panel.set(
            xlim=(0, 100 * LIMIT),
            ylim=(0, 100),
            xlabel=f"{study.normaliser} error, %",
            ylabel=f"faces, % of all {study.faces}",
        )
        panel.grid(alpha=0.3)
    with atomic_path(target) as temporary:
        # Without a date, the same figures give the same file.
        empty = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        drawing.savefig(temporary, dpi=150, metadata=empty.get(target.suffix.lower()))


_WIDTH, _HEIGHT = 720, 400
# Of the plot; its axes' numbers and titles stand outside.
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 704, 14, 354


def ced_svg(study: Study) -> str:
    """The error curves of all models, with the failure threshold marked."""
    parts = []
    for tenths in range(0, 11, 2):
        x, y = _place(LIMIT * tenths / 10, tenths / 10)
        parts += [
            f'<path class="grid" d="M{_LEFT},{y:.1f}H{_RIGHT}M{x:.1f},{_TOP}V{_BOTTOM}"/>',
            _text(_LEFT - 8, y + 4, f"{10 * tenths}", "end"),
            _text(x, _BOTTOM + 18, f"{10 * LIMIT * tenths:.0f}"),
        ]
    x, y = _place(FAILURE_THRESHOLD, 0)
    parts += [
        f'<path class="threshold" d="M{x:.1f},{_TOP}V{y:.1f}"/>',
        _text((_LEFT + _RIGHT) / 2, _HEIGHT - 8, f"{study.normaliser} error, %"),
        f'<g transform="translate(14,{(_TOP + _BOTTOM) / 2}) rotate(-90)">'
        f"{_text(0, 0, 'faces with at most this error, %')}</g>",
    ]
    keys = []
    for row, (name, hue, errors, share) in enumerate(_curves(study)):
        corners = (_place(*each) for each in zip(errors, share, strict=True))
        path = f"M{_LEFT},{_BOTTOM}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in corners)
        title = f"<title>{escaped(name)}</title>"
        parts.append(f'<path class="curve" stroke="{hue}" d="{path}">{title}</path>')
        x, y = _RIGHT - 14, _BOTTOM + 4 - 20 * (len(study.models) - row)
        keys.append(f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{hue}"/>')
        keys.append(_text(x - 12, y, name, "end", "key"))
    label = f"Share of the faces by error, {escaped(study.data)}"
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts + keys)}</svg>"
    )


def _place(error: float, share: float) -> tuple[float, float]:
    return _LEFT + (_RIGHT - _LEFT) * error / LIMIT, _BOTTOM - (_BOTTOM - _TOP) * share


def _text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escaped(text)}</text>'


_EYE_DISTANCE = 150.0
_FACE_VIEW = "-145 -72 400 284"

# Where a line through the landmarks begins; those from the eyes on are closed.
_LINES = (0, 17, 22, 27, 31, 36, 42, 48, 60, 68)
_FIRST_CLOSED = 36

# Height at which the figure of each region stands beside the face, in eye distances.
_LABELS = {"brows": -0.22, "eyes": 0.06, "nose": 0.36, "mouth": 0.76, "jaw": 1.06}
_LABEL_X = 0.98 * _EYE_DISTANCE


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
    parts = []
    for start, end in pairwise(_LINES):
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y in face[start:end])
        parts.append(f'<path class="outline" d="M{path}{"Z" if start >= _FIRST_CLOSED else ""}"/>')
    for index, ((x, y), error) in enumerate(zip(face, model.landmarks, strict=True)):
        if np.isfinite(error):
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{max(error * _EYE_DISTANCE, 0.8):.1f}" '
                f'fill="{heat(error / worst if worst > 0 else 0)}">'
                f"<title>landmark {index}: {100 * error:.2f} %</title></circle>"
            )
    for name, height in _LABELS.items():
        text = f"{name} {percent(model.regions[name], interval=False)} %"
        parts.append(_text(_LABEL_X, height * _EYE_DISTANCE, text, "start"))
    label = f"Error of each landmark of {escaped(model.name)} by {escaped(by)}"
    return (
        f'<svg class="face" viewBox="{_FACE_VIEW}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def heat(strength: float) -> str:
    """A colour from yellow (0) over red to purple (1)."""
    stops = np.array([[250, 204, 21], [234, 88, 12], [190, 18, 60], [88, 28, 135]])
    place = float(np.clip(strength, 0, 1)) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    mixed = stops[low] + (place - low) * (stops[low + 1] - stops[low])
    return "#" + "".join(f"{round(value):02x}" for value in mixed)

"""Charts: the cumulative error distribution (CED), which says which share of the faces has at most
which error, and the errors on the mean face.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from warnings import catch_warnings, filterwarnings

import numpy as np

from ..boxes import Box, FloatArray
from ..drawing import escaped, readable
from ..errors import MissingDependencyError, printable
from ..files import atomic_path
from ..landmarks import FACE_68
from ..pose import mean_face_3d
from ..shapes import mean_shape
from .bootstrap import percent
from .figures import ModelFigures, Study
from .metrics import FAILURE_THRESHOLD, normalisers

LIMIT = 0.10
"""Error up to which the curve is drawn."""

SUFFIXES = (".png", ".svg", ".pdf")

# Without a date, the same figures give the same bytes.
_METADATA = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
# Characters of a name that have room in the drawing.
_LONGEST_NAME = 36

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


def require_plotting() -> None:
    """Fail early, with a `MissingDependencyError`, where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            'the error distribution is drawn by matplotlib: pip install "efld-dlib[plot]"'
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
    MissingDependencyError
        matplotlib is not installed.
    """
    with atomic_path(target) as temporary, temporary.open("wb") as out:
        _draw(out, Path(target).suffix.lower()[1:], studies)


def ced_image(study: Study) -> str:
    """The drawing of `plot_ced` as an HTML image, in which no name can become markup.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    """
    out = io.BytesIO()
    _draw(out, "svg", [study])
    address = "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode("ascii")
    label = f"Share of the faces by error, {escaped(study.data)}"
    return f'<img class="chart" alt="{label}" src="{address}">'


def _draw(out: BinaryIO, kind: str, studies: Sequence[Study]) -> None:
    require_plotting()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Names within an SVG are by chance without the salt. A name of a model may have dollar signs,
    # between which matplotlib would read mathematics.
    with rc_context({"svg.hashsalt": "efld-dlib", "text.parse_math": False}), catch_warnings():
        # Letters that the font lacks become boxes.
        filterwarnings("ignore", "Glyph")
        figure = Figure(figsize=(6.4 * len(studies), 4.2), layout="constrained")
        panels = figure.subplots(1, len(studies), squeeze=False)[0]
        for panel, study in zip(panels, studies, strict=True):
            panel.axvline(100 * FAILURE_THRESHOLD, color="gray", linestyle="--", linewidth=1)
            for index, model in enumerate(study.models):
                nme = percent(model.nme[study.normaliser], interval=False)
                error, share = ced_curve(study.evaluations[index].errors_by(study.normaliser))
                # The name last: matplotlib leaves labels out that begin with an underscore.
                label = f"{nme} %  {_shortened(model.name)}"
                panel.step(100 * error, 100 * share, where="post", color=colour(index), label=label)
            panel.legend(loc="lower right", title="NME of the found faces")
            panel.set(
                title=_shortened(study.data),
                xlim=(0, 100 * LIMIT),
                ylim=(0, 100),
                xlabel=f"{study.title} error, %",
                ylabel=f"faces with at most this error, % of {study.faces}",
            )
            panel.grid(alpha=0.3)
        figure.savefig(out, format=kind, dpi=150, metadata=_METADATA.get(kind))


def _shortened(name: str) -> str:
    """A name as text that every format can hold: its end, as names differ at their ends."""
    text = printable(readable(name))
    return text if len(text) <= _LONGEST_NAME else "..." + text[-_LONGEST_NAME:]


# Of the drawing: what the normaliser measures is so long; the border, and the radius of a shape
# without a normaliser.
_NORMALISER, _BORDER, _RADIUS = 150.0, 70.0, 100.0


def shape_svg(model: ModelFigures, study: Study, worst: float) -> str:
    """Errors on the mean face, or on the mean of other shapes.

    Parameters
    ----------
    model : ModelFigures
    study : Study
        By the scheme's own normaliser the circles are true to scale; by another they are drawn as
        if it were that distance.
    worst : float
        The error of the strongest colour, the same for all models that are to be compared.
    """
    scheme = study.scheme
    shape = mean_face_3d()[:, :2] if scheme == FACE_68 else mean_shape(study.evaluations[0].truth)
    along = normalisers(shape, "inter-ocular", scheme)
    shape = shape * (_RADIUS if np.isnan(along) else _NORMALISER / along)
    left, top, width, height = Box.around(shape)
    view = [left - _BORDER, top - _BORDER, width + 2 * _BORDER, height + 2 * _BORDER]
    parts = []
    for edge in scheme.edges:
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y in shape[list(edge)])
        parts.append(f'<path class="outline" d="M{path}"/>')
    for name, (x, y), error in zip(scheme.labels, shape, model.landmarks, strict=True):
        if np.isfinite(error):
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{max(error * _NORMALISER, 0.8):.1f}" '
                f'fill="{heat(error / worst if worst > 0 else 0)}">'
                f"<title>landmark {escaped(name)}: {100 * error:.2f} %</title></circle>"
            )
    label = f"Error of each landmark of {escaped(model.name)} by {escaped(study.title)}"
    return (
        f'<svg class="face" viewBox="{" ".join(f"{side:.0f}" for side in view)}" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )


_HEAT = np.array([[250, 204, 21], [234, 88, 12], [190, 18, 60], [88, 28, 135]])


def heat(strength: float) -> str:
    """A colour from yellow (0) over red to purple (1)."""
    stops = np.linspace(0, 1, len(_HEAT))
    mixed = (np.interp(strength, stops, channel) for channel in _HEAT.T)
    return "#" + "".join(f"{round(value):02x}" for value in mixed)

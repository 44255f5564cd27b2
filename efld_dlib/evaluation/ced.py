"""The cumulative error distribution (CED): which share of the faces has at most which error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError, MissingDependencyError
from ..files import atomic_path
from .figures import Study

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
            "a CED plot needs matplotlib: pip install matplotlib (--report draws the curve "
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
        for number, model in enumerate(study.evaluations):
            errors, share = ced_curve(model.errors_by(study.by))
            label = f"{_plain(model.name)} ({100 * study.models[number].nme[study.by].value:.2f} %)"
            colour = COLOURS[number % len(COLOURS)]
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

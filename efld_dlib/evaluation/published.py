"""What others report, as data: `efld_dlib/data/published.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


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
    text = files("efld_dlib.data").joinpath("published.csv").read_text(encoding="utf-8")
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

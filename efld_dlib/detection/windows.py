"""The first look: dlib's HOG windows slid over a picture, for all views at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ..annotation import Box
from ..backend import load_dlib
from ..errors import ModelFormatError
from .frame import square_box
from .scales import Scales
from .views import VIEWS

WINDOW = 48
"""Side of the windows, and of the smallest face that they find, in pixels."""

BORDER = 12
"""Pixels around the reduced picture, drawn out from its edge, for faces that stand there."""

FOLDER = "detector"
SUFFIX = ".svm"


class Window(NamedTuple):
    """A place that a sub-detector took for a face.

    Parameters
    ----------
    box : Box
        In pixels of the picture that was asked about.
    score : float
        Of the sub-detector; above 0 is dlib's own threshold.
    view : int
        Number of the sub-detector in `views.VIEWS`.
    """

    box: Box
    score: float
    view: int


def find_windows(
    detectors: Sequence[Any] | Any,
    scales: Scales,
    smallest: float,
    threshold: float,
    border: float = 0.0,
) -> list[Window]:
    """What the sub-detectors find, the surest first.

    Parameters
    ----------
    detectors : sequence of dlib.fhog_object_detector, or what `load_united` gives
        One for each of `views.VIEWS`.
    scales : Scales
        The picture.
    smallest : float
        Width of the smallest face in pixels: the picture is brought to the size in which it has
        that of the window. Time goes with the square of the inverse.
    threshold : float
        Lowest score.
    border : float
        So much of its shorter side is added to the picture on each side.
    """
    gray, step_x, step_y = scales.reduced(WINDOW / smallest)
    # dlib's windows do not reach to the very edge.
    around = max(BORDER, round(border * min(gray.shape)))
    gray = cv2.copyMakeBorder(gray, *(4 * (around,)), cv2.BORDER_REPLICATE).astype(np.uint8)
    if isinstance(detectors, Sequence):
        run = partial(load_dlib().fhog_object_detector.run_multiple, list(detectors))
    else:
        run = detectors.run
    boxes, scores, views = run(gray, 0, threshold)
    found = []
    for box, score, view in zip(boxes, scores, views, strict=True):
        # Pixel centres: x = (x_resized + 0.5) * step - 0.5.
        x = ((box.left() + box.right()) / 2 - around + 0.5) * step_x - 0.5
        y = ((box.top() + box.bottom()) / 2 - around + 0.5) * step_y - 0.5
        found.append(Window(square_box(x, y, box.width() * step_x), float(score), int(view)))
    return sorted(found, key=lambda window: -window.score)


@lru_cache(maxsize=4)
def load_windows(folder: Path | None = None) -> tuple[Any, ...]:
    """The sub-detectors of a folder, by default those that come with the toolkit.

    Raises
    ------
    ModelFormatError
        One is missing or damaged.
    """
    return _load(folder, load_dlib().fhog_object_detector)


@lru_cache(maxsize=4)
def load_united(folder: Path | None = None, places: tuple[int, ...] | None = None) -> Any:
    """The sub-detectors as one that is faster, and gives the surest view alone of each place.

    Parameters
    ----------
    folder : path, optional
        As of `load_windows`.
    places : tuple of int, optional
        Of those of `views.VIEWS` that are wanted.

    Returns
    -------
    dlib.fhog_object_detector

    Raises
    ------
    ModelFormatError
        One is missing or damaged.
    """
    dlib = load_dlib()
    parts = _load(folder, dlib.simple_object_detector)
    chosen = list(parts) if places is None else [parts[place] for place in places]
    united = dlib.fhog_object_detector.__new__(dlib.fhog_object_detector)
    united.__setstate__(dlib.simple_object_detector(chosen).__getstate__())
    return united


def _load(folder: Path | None, kind: Any) -> tuple[Any, ...]:
    if folder is None:
        with as_file(files("efld_dlib.data").joinpath(FOLDER)) as own:
            return _load(own, kind)
    detectors = []
    for view in VIEWS:
        path = folder / f"{view.name}{SUFFIX}"
        try:
            detectors.append(kind(str(path)))
        except (RuntimeError, MemoryError) as error:
            raise ModelFormatError(path, "is no detector that dlib can read") from error
    return tuple(detectors)

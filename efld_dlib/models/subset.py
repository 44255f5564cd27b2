"""A smaller `.dat` for programs that have nothing but dlib."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import OptionError
from ..landmarks import SCHEMES
from .predictor import Predictor

_LEAF_BITS = 8


def slim(predictor: Predictor) -> Predictor:
    """The predictor with short mantissas, which dlib writes in fewer bytes.

    A leaf keeps 8 bits (an error of at most 0.4 %), so that it takes 4 bytes instead of 6.
    Thresholds are rounded down, which decides alike.
    """
    fraction, exponent = np.frexp(predictor.leaves)
    leaves = np.ldexp(np.rint(np.ldexp(fraction, _LEAF_BITS)), exponent - _LEAF_BITS)
    return replace(predictor, thresholds=predictor.whole_thresholds(), leaves=leaves)


_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def parse_points(text: str, size: int) -> list[int]:
    """Landmarks named by `text`, in ascending order.

    Parameters
    ----------
    text : str
        Numbers, ranges and parts of the face with commas between: ``eyes,mouth``, ``36-47,30``. The
        parts are those of the scheme with `size` landmarks; ``eyes`` means both.
    size : int
        Number of landmarks there are.

    Raises
    ------
    OptionError
        Something in `text` is none of these, or there is no such landmark.

    Examples
    --------
    >>> parse_points("36-38,30", 68)
    [30, 36, 37, 38]
    >>> len(parse_points("eyes,mouth", 68))
    32
    """
    groups = next((s.groups for s in SCHEMES.values() if s.size == size), {})
    chosen: set[int] = set()
    for item in text.split(","):
        name = item.strip()
        if match := _RANGE.fullmatch(name):
            low, high = int(match[1]), int(match[2] or match[1])
            if not low <= high < size:
                raise OptionError(f"'{name}' is not within the landmarks 0 to {size - 1}")
            chosen.update(range(low, high + 1))
            continue
        # "eyes" is "left_eye" and "right_eye".
        sides = [own for part, own in groups.items() if name in (part, f"{part.split('_')[-1]}s")]
        if not sides:
            known = ", ".join(groups) or "none, as the scheme is not known"
            raise OptionError(
                f"'{name}' is no landmark or part of the face; the parts are: {known}"
            )
        chosen.update(*sides)
    return sorted(chosen)


def select_points(predictor: Predictor, points: Sequence[int]) -> Predictor:
    """A predictor of some of the landmarks, which it numbers in the order of `points`.

    dlib looks pixels up around the landmarks it has, and aligns the shape by them, so those that
    stay may move slightly against the whole predictor's. A pixel whose landmark goes is tied to the
    nearest one of those that stay, at the same place of the mean shape.

    Parameters
    ----------
    predictor : Predictor
    points : sequence of int
        At least one, each of them once, as `parse_points` gives them.
    """
    kept = np.array(points, dtype=np.int64)
    mean = predictor.mean_shape[kept]
    places = predictor.mean_shape[predictor.anchors].astype(np.float64) + predictor.deltas
    distances = np.linalg.norm(places[:, :, None] - mean[None, None], axis=-1)
    number = np.full(predictor.points, -1, dtype=np.int32)
    number[kept] = np.arange(len(kept))
    own = number[predictor.anchors]
    anchors = np.where(own >= 0, own, distances.argmin(axis=-1)).astype(np.int32)
    moved = (places - mean[anchors]).astype(np.float32)
    pairs = predictor.leaves.reshape(*predictor.leaves.shape[:3], predictor.points, 2)
    leaves = pairs[:, :, :, kept].reshape(*predictor.leaves.shape[:3], 2 * len(kept))
    return replace(
        predictor,
        mean_shape=mean,
        leaves=leaves,
        anchors=anchors,
        deltas=np.where((own >= 0)[..., None], predictor.deltas, moved),
    )

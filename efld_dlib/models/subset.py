"""A smaller `.dat` for programs that have nothing but dlib."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import OptionError
from ..landmarks import Scheme
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


def parse_points(text: str, scheme: Scheme) -> list[int]:
    """Landmarks named by `text`, in ascending order.

    Parameters
    ----------
    text : str
        Names or numbers, ranges of them, and parts of the thing with commas between:
        ``eyes,mouth``, ``36-47,30``, ``base..tip``; ``eyes`` means both.
    scheme : Scheme
        The landmarks there are.

    Raises
    ------
    OptionError
        Something in `text` is none of these, or there is no such landmark.

    Examples
    --------
    >>> from efld_dlib.landmarks import SCHEMES
    >>> parse_points("36-38,30", SCHEMES["68"])
    [30, 36, 37, 38]
    >>> len(parse_points("eyes,mouth", SCHEMES["68"]))
    32
    """
    groups = scheme.groups
    chosen: set[int] = set()
    for item in text.split(","):
        name = item.strip()
        if (place := scheme.index(name)) is not None:
            chosen.add(place)
            continue
        if match := _RANGE.fullmatch(name):
            low, high = scheme.index(match[1]), scheme.index(match[2] or match[1])
            if low is None or high is None or low > high:
                raise OptionError(f"'{name}' is not within {scheme.range}")
            chosen.update(range(low, high + 1))
            continue
        if ".." in name:
            chosen.update(scheme.find(name))
            continue
        # "eyes" is "left_eye" and "right_eye".
        sides = [own for part, own in groups.items() if name in (part, f"{part.split('_')[-1]}s")]
        if not sides:
            known = ", ".join(groups) or "none"
            raise OptionError(f"'{name}' is no landmark or part: {scheme.range}, the parts {known}")
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

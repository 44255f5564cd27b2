"""Masks, lines and colours on the chart of `surface`: what `paint` paints with."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from efld_dlib.boxes import FloatArray

from .layout import HEAD_CENTRE, angles
from .recipe import Colour
from .surface import CHART_SIZE, chart_pixels, head_surface

Chart = NDArray[np.float32]  # (height, width, 3) colours or (height, width) masks

_FRACTION_BITS = 4


def smooth_line(points: FloatArray, per_segment: int = 8) -> FloatArray:
    """A curve through points, shape (n, 2), by cubic splines over the length of the chords."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places = np.linspace(0, length[-1], per_segment * (len(points) - 1) + 1)
    curve: FloatArray = CubicSpline(length, points)(places)
    return curve


@lru_cache(maxsize=16)
def feature(name: str, soft: float = 0.6) -> Chart:
    """Mask of a closed one of the `feature_lines`; not to be written to."""
    return filled(feature_lines()[name], soft)


@lru_cache(maxsize=16)
def feature_edge(name: str, thickness: float, soft: float = 0.8) -> Chart:
    """Mask of one of the `feature_lines` drawn as a line; not to be written to."""
    return stroked(feature_lines()[name], thickness, soft)


def on_chart(x: float, y: float, forward: float) -> FloatArray:
    """Chart pixel of a place of the mean head given as in `layout`'s tables, in mm."""
    return chart_pixels(*angles(np.array([x, y, -forward]) - HEAD_CENTRE))


def blend(chart: Chart, colour: Colour | Chart, mask: Chart) -> None:
    """Lay `colour` over the chart where `mask` is, in place."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    window = slice(top, top + height), slice(left, left + width)
    over = colour[window] if isinstance(colour, np.ndarray) else np.float32(colour)
    chart[window] += (over - chart[window]) * mask[window][..., np.newaxis]


def filled(outline: FloatArray, soft: float = 0.8) -> Chart:
    """Mask of a polygon, its edge softened over `soft` chart pixels."""
    mask = np.zeros(CHART_SIZE[::-1], dtype=np.uint8)
    polygon = np.rint(outline * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [polygon], 255, lineType=cv2.LINE_AA, shift=_FRACTION_BITS)
    return softened(mask, soft)


def stroked(line: FloatArray, thickness: float, soft: float = 0.8) -> Chart:
    """Mask of a line of `thickness` chart pixels."""
    mask = np.zeros(CHART_SIZE[::-1], dtype=np.uint8)
    points = np.rint(line * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.polylines(mask, [points], False, 255, max(1, round(thickness)), cv2.LINE_AA, _FRACTION_BITS)
    return softened(mask, soft)


def softened(mask: NDArray[np.uint8], soft: float) -> Chart:
    """An 8-bit mask as shares of 1, blurred over `soft` chart pixels."""
    left, top, width, height = cv2.boundingRect(mask)
    soft_mask = np.zeros(mask.shape, dtype=np.float32)
    margin = int(4 * soft) + 1
    window = (
        slice(max(top - margin, 0), top + height + margin),
        slice(max(left - margin, 0), left + width + margin),
    )
    blurred = cv2.GaussianBlur(mask[window].astype(np.float32) / 255, (0, 0), soft)
    soft_mask[window] = np.where(blurred > 0.004, blurred, np.float32(0))
    return soft_mask


def blotches(rng: np.random.Generator, cells: tuple[int, int]) -> Chart:
    """Smooth noise over the chart with mean 0 and spread 1; `cells` across and down."""
    coarse = rng.normal(size=cells[::-1]).astype(np.float32)
    return cv2.resize(coarse, CHART_SIZE, interpolation=cv2.INTER_LINEAR)


@lru_cache(maxsize=1)
def feature_lines() -> dict[str, FloatArray]:
    """The features' outlines on the chart, closed ones in one turn."""
    p = head_surface().reference
    lines: dict[str, FloatArray] = {}
    for side, (upper, lower) in {
        "left": ([36, 37, 38, 39], [39, 40, 41, 36]),
        "right": ([42, 43, 44, 45], [45, 46, 47, 42]),
    }.items():
        lines[f"{side} upper lid"] = smooth_line(p[upper])
        lines[f"{side} lower lid"] = smooth_line(p[lower])
        lines[f"{side} eye"] = np.concatenate([smooth_line(p[upper]), smooth_line(p[lower])])
    lines["left brow"], lines["right brow"] = smooth_line(p[17:22]), smooth_line(p[22:27])
    upper_out, lower_out = smooth_line(p[48:55]), smooth_line(p[[54, 55, 56, 57, 58, 59, 48]])
    upper_in, lower_in = smooth_line(p[60:65]), smooth_line(p[[64, 65, 66, 67, 60]])
    lines["upper inner lip"] = upper_in
    lines["upper lip"] = np.concatenate([upper_out, upper_in[::-1]])
    lines["lower lip"] = np.concatenate([lower_out, lower_in[::-1]])
    lines["upper lip's rim"] = upper_out
    lines["mouth"] = np.concatenate([upper_in, lower_in])
    return lines

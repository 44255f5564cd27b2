"""The head's skin, painted flat on the chart of `surface`."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from efld_dlib.boxes import FloatArray

from .chart import (
    Chart,
    blend,
    blotches,
    feature,
    feature_edge,
    feature_lines,
    filled,
    on_chart,
    smooth_line,
    softened,
    stroked,
)
from .recipe import Colour, Expression, Look
from .surface import CHART_AZIMUTH, CHART_SIZE, CHART_STEP, REFERENCE_GAP, head_surface

MM = 0.55  # mm that a chart pixel spans at the front of the face
IRIS_RADIUS = 6.0  # mm
TEETH = 8.0  # mm of the upper teeth that an open mouth shows


def hairline(azimuth: FloatArray, middle: float) -> FloatArray:
    """Elevation in degrees where the hair begins; `middle` is that of the forehead's middle."""
    side = np.abs(azimuth)
    return np.interp(side, [0, 30, 55, 72, 90, 100, 180], [middle, middle, -26, -14, 0, 38, 45])


def painted_head(rng: np.random.Generator, look: Look, expression: Expression) -> Chart:
    """Colours of a head on the chart, shape (height, width, 3), red, green, blue from 0 to 255."""
    chart = np.empty((*CHART_SIZE[::-1], 3), dtype=np.float32)
    chart[:] = look.skin
    _paint_skin(chart, rng, look)
    _paint_lips(chart, look)
    _paint_mouth(chart, expression)
    closed = {"left": expression.left_eye_closed, "right": expression.right_eye_closed}
    for side in ("left", "right"):
        _paint_eye(chart, side, look, closed[side])
    _paint_brows(chart, rng, look)
    if look.hair_volume > 0:
        _paint_hair(chart, rng, look)
    return chart


def _darker(colour: Colour, share: float) -> Colour:
    red, green, blue = colour
    return red * share, green * share, blue * share


@lru_cache(maxsize=1)
def _skin_masks() -> dict[str, Chart]:
    """Where skin is redder, darker or bearded."""
    jaw = head_surface().reference[[*range(2, 15)]] + (0, 6)
    beard_top = np.array([on_chart(x, y, 0) for x, y in ((45, 62), (26, 55), (-26, 55), (-45, 62))])
    cheeks = [filled(_disc(on_chart(sign * 42, 38, 4), 18, 16), 9) for sign in (-1, 1)]
    tip = filled(_disc(on_chart(0, 36, 44), 11, 9), 5)
    return {
        "blush": np.maximum(np.maximum(*cheeks), tip * 0.6),
        "beard": filled(np.concatenate([jaw, beard_top]), 8),
    }


@lru_cache(maxsize=1)
def _relief_shade() -> Chart:
    """Shadows of the face's hollows, which the mesh is too smooth to throw."""
    shades: list[tuple[Chart, float]] = []  # a mask, and the share of the light that it takes
    for sign in (-1, 1):

        def at(x: float, y: float, forward: float, sign: int = sign) -> FloatArray:
            return on_chart(sign * x, y, forward)

        wing = np.array([at(14, 32, 30), at(18.5, 35, 22), at(19, 41, 17), at(13.5, 44.5, 20)])
        fold = np.array([at(19, 41, 15), at(27, 52, 13), at(32, 66, 9)])
        crease = np.array([at(46, -4, 0), at(38, -10.5, 8), at(28, -10.5, 9), at(20, -3, 7)])
        bag = np.array([at(42, 11, 3), at(32, 14, 6), at(22, 11, 7)])
        bridge = np.array([at(13, -8, 14), at(12, 3, 13), at(13, 14, 15)])
        shades += [
            (stroked(smooth_line(wing), 2, 1.2), 0.45),
            (filled(_disc(at(7, 45, 27), 6, 3.2), 1.0), 0.75),
            (stroked(smooth_line(fold), 3, 2.5), 0.3),
            (stroked(smooth_line(crease), 2, 1.2), 0.45),
            (stroked(smooth_line(bag), 3, 3), 0.15),
            (stroked(smooth_line(bridge), 8, 5), 0.2),
            (filled(_disc(at(33, -3, 5), 30, 16), 6), 0.13),
        ]
    chin_fold = np.array([on_chart(-16, 85, 15), on_chart(0, 86.5, 19), on_chart(16, 85, 15)])
    shades.append((stroked(smooth_line(chin_fold), 6, 4), 0.25))
    shades.append((stroked(np.array([on_chart(0, 50, 28), on_chart(0, 59, 28)]), 5, 3), 0.1))
    light = np.ones(CHART_SIZE[::-1], dtype=np.float32)
    for mask, share in shades:
        light *= 1 - mask * np.float32(share)
    return 1 - light


def _disc(centre: FloatArray, half_width: float, half_height: float) -> FloatArray:
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return centre + np.stack([half_width * np.cos(turn), half_height * np.sin(turn)], axis=1)


def _paint_skin(chart: Chart, rng: np.random.Generator, look: Look) -> None:
    chart += (blotches(rng, (24, 20)) * 2.5 + blotches(rng, (180, 150)) * 2.0)[..., np.newaxis]
    red, green, blue = look.skin
    masks = _skin_masks()
    blend(chart, (min(red * 1.02, 255), green * 0.86, blue * 0.86), masks["blush"] * 0.6)
    if look.beard > 0:
        stubble = np.clip(0.8 + 0.25 * blotches(rng, (366, 300)), 0, 1)
        blend(chart, _darker(look.hair, 0.9), masks["beard"] * look.beard * 0.8 * stubble)
    blend(chart, _darker(look.skin, 0.35), _relief_shade())


def _paint_lips(chart: Chart, look: Look) -> None:
    blend(chart, _darker(look.lips, 0.86), feature("upper lip"))
    blend(chart, look.lips, feature("lower lip"))
    rim = feature_edge("upper lip's rim", 1, 1.0) * np.float32(0.5)
    blend(chart, _darker(look.lips, 0.7), rim)


def _paint_mouth(chart: Chart, expression: Expression) -> None:
    inside = feature("mouth")
    blend(chart, (58.0, 22.0, 24.0), inside)
    if expression.mouth_open > 1.5:
        # The chart's mouth has one height, the head's another: teeth keep theirs on the head.
        gap = REFERENCE_GAP / MM
        teeth = min(TEETH / (1.1 * expression.mouth_open + 0.6), 0.9) * gap
        upper = feature_lines()["upper inner lip"]
        upper = upper[len(upper) // 6 : -len(upper) // 6]
        rows = np.concatenate([upper, (upper + (0, teeth))[::-1]])
        blend(chart, (228.0, 222.0, 208.0), filled(rows, 0.6) * inside)
        if expression.mouth_open > 12:
            centre = upper.mean(axis=0) + (0, gap * 0.95)
            blend(chart, (150.0, 70.0, 72.0), filled(_disc(centre, 18, gap * 0.3), 2) * inside)
    blend(chart, (60.0, 25.0, 25.0), feature_edge("mouth", 1) * np.float32(0.6))


def _paint_eye(chart: Chart, side: str, look: Look, closed: float) -> None:
    inside = feature(f"{side} eye")
    blend(chart, (232.0, 226.0, 220.0), inside)
    # A half-shut eye shows the same chart squeezed; the iris is stretched to come out round.
    stretch = 1 / max(1 - 0.95 * closed, 0.12)
    centre = (
        feature_lines()[f"{side} eye"].mean(axis=0)
        + np.array([look.gaze[0], (look.gaze[1] - 0.8) * stretch]) / MM
    )
    radius = IRIS_RADIUS / MM
    for size, colour in ((1.0, _darker(look.iris, 0.5)), (0.86, look.iris), (0.42, (12, 10, 10))):
        disc = _disc(centre, radius * size, radius * size * stretch)
        blend(chart, colour, filled(disc, 0.6) * inside)
    glint = _disc(centre + np.array([-2.5, -3 * stretch]), 1.6, 1.6 * stretch)
    blend(chart, (250.0, 250.0, 250.0), filled(glint, 0.5) * inside * np.float32(0.9))
    shadow = feature_edge(f"{side} upper lid", 7, 2.0)
    blend(chart, (40.0, 25.0, 22.0), shadow * inside * np.float32(0.45))
    lash = _darker(look.hair, 0.35)
    blend(chart, lash, feature_edge(f"{side} upper lid", 3) * np.float32(0.9))
    lower = feature_edge(f"{side} lower lid", 1)
    blend(chart, _darker(look.skin, 0.4), lower * np.float32(0.8))


def _paint_brows(chart: Chart, rng: np.random.Generator, look: Look) -> None:
    strands = np.clip(0.85 + 0.2 * blotches(rng, (244, 60)), 0, 1)
    for side in ("left", "right"):
        line = feature_lines()[f"{side} brow"]
        inwards = np.linspace(0, 1, len(line)) if side == "left" else np.linspace(1, 0, len(line))
        half = (2.2 + 2.6 * inwards * (1.15 - 0.35 * inwards)) / MM * 0.75 * look.brow_thickness
        up = np.stack([np.zeros_like(half), half], axis=1)
        mask = filled(np.concatenate([line - up, (line + up)[::-1]]), 1.4)
        blend(chart, _darker(look.hair, 0.7), mask * strands * np.float32(look.brow_strength))


def _paint_hair(chart: Chart, rng: np.random.Generator, look: Look) -> None:
    width, height = CHART_SIZE
    azimuth = (np.arange(width) + 0.5) * CHART_STEP - CHART_AZIMUTH
    elevation = (np.arange(height) + 0.5) * CHART_STEP - 90
    ragged = np.repeat(rng.normal(0, 1.2, width // 4 + 1), 4)[:width]
    border = hairline(azimuth, look.hairline) + ragged
    mask = softened((elevation[:, np.newaxis] < border).astype(np.uint8) * 255, 2.0)
    strands = blotches(rng, (240, 14)) * 0.13 + blotches(rng, (60, 8)) * 0.12
    colour = np.float32(look.hair) * np.clip(1 + strands, 0.4, 1.7)[..., np.newaxis]
    blend(chart, colour.astype(np.float32), mask)


def swatch(rng: np.random.Generator, colour: Colour, rough: float, rows: int) -> Chart:
    """A strip as wide as the chart in one colour, for parts without a chart of their own."""
    noise = rng.normal(0, rough, (rows // 4, CHART_SIZE[0] // 3)).astype(np.float32)
    strip = np.float32(colour) + cv2.resize(noise, (CHART_SIZE[0], rows))[..., np.newaxis]
    return strip.astype(np.float32)

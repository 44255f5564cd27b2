"""A head's form and expression: the mean head's control points, moved."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from efld_dlib.boxes import FloatArray

from .layout import JAW_JOINT, jaw_shares, mean_controls
from .recipe import Expression, Form

MOUTH_LINE = 68.7  # mm below the eyes
NOSE_BASE = 47.0  # mm below the eyes
LOWER_LIP_REACH = 109.0  # mm from the jaw's axis

BROWS = np.arange(17, 27)
MOUTH = np.arange(48, 68)
OUTER_LIPS = np.arange(48, 60)
UPPER_LIP = np.array([49, 50, 51, 52, 53, 61, 62, 63])
# Upper lid and the landmark of the lower lid that it meets, by eye.
LIDS = {"left": ((37, 41), (38, 40)), "right": ((43, 47), (44, 46))}
BROW_WEIGHTS = np.array([0.6, 0.85, 1.0, 1.0, 0.9, 0.9, 1.0, 1.0, 0.85, 0.6])


def head_controls(form: Form, expression: Expression) -> FloatArray:
    """Control points of one head, shape (n, 3), in the frame of `layout` (mm)."""
    controls = mean_controls()
    _form_features(controls, form)
    _form_head(controls, form)
    _move_mouth(controls, expression)
    _move_eyes(controls, expression)
    return controls


@lru_cache(maxsize=1)
def _irregularity() -> FloatArray:
    """Share of the random shifts that each control point takes, shape (n, 1)."""
    share = np.ones((len(mean_controls()), 1))
    share[36:48] = 0.4
    # The lips nearly touch; shifted on their own they would pass through each other.
    share[60:68] = 0.0
    return share


def _near(points: FloatArray, x: float, y: float, radius: float) -> FloatArray:
    """Weight 1 at (+-x, y) that falls off like a bell over `radius` mm, shape (n,)."""
    squared = (np.abs(points[:, 0]) - x) ** 2 + (points[:, 1] - y) ** 2
    in_front = points[:, 2] < 45.0
    weights: FloatArray = np.exp(-squared / (2 * radius**2)) * in_front
    return weights


def _form_features(p: FloatArray, form: Form) -> None:
    """Give eyes, brows, nose and mouth their proportions, in the mean head's frame."""
    p[:, 0] += np.sign(p[:, 0]) * form.eye_spacing * _near(p, 32, 0, 16)
    for pairs in LIDS.values():
        for upper, lower in pairs:
            middle, half = (p[upper, 1] + p[lower, 1]) / 2, (p[lower, 1] - p[upper, 1]) / 2
            p[upper, 1] = middle - half * form.eye_height
            p[lower, 1] = middle + half * form.eye_height
    slope = (np.abs(p[BROWS, 0]) - 36) / 22
    p[BROWS, 1] += form.brow_tilt * slope - form.brow_height

    across = np.clip((24 - np.abs(p[:, 0])) / 6, 0, 1)
    along = np.clip(np.minimum(p[:, 1] + 6, 58 - p[:, 1]) / 10, 0, 1)
    nose = across * along * (p[:, 2] < -10)
    p[:, 0] *= 1 + (form.nose_width - 1) * nose * np.clip(p[:, 1] / 30, 0, 1)
    p[:, 2] += (form.nose_relief - 1) * (p[:, 2] + 12) * nose
    p[:, 1] += (form.nose_length - 1) * p[:, 1] * nose

    p[MOUTH, 0] *= form.mouth_width
    p[OUTER_LIPS, 1] += (form.lip_height - 1) * (p[OUTER_LIPS, 1] - MOUTH_LINE)
    p[:, 2] -= form.chin * _near(p, 0, 106, 18)


def _form_head(p: FloatArray, form: Form) -> None:
    """Give the whole head its proportions and its irregularity."""
    below = np.clip((p[:, 1] - 25) / 55, 0, 1)
    p[:, 0] *= form.width * (1 + (form.jaw_width - 1) * below)
    low = p[:, 1] > NOSE_BASE
    p[low, 1] = NOSE_BASE + (p[low, 1] - NOSE_BASE) * form.lower_face
    p[:, 2] = 20 + (p[:, 2] - 20) * form.depth
    if form.irregular is not None:
        p += form.irregular * _irregularity()


def _move_mouth(p: FloatArray, expression: Expression) -> None:
    corner_x, corner_y = float(p[[48, 54], 0] @ (-0.5, 0.5)), float(p[[48, 54], 1].mean())

    smile = expression.smile * _near(p, corner_x, corner_y, 10)
    p += smile[:, np.newaxis] * np.stack(
        [6.5 * np.sign(p[:, 0]), np.full(len(p), -5.0), np.full(len(p), 4.0)], axis=1
    )
    if expression.smile > 0:
        cheek = expression.smile * _near(p, 40, 48, 11)
        p[:, 1] -= 3.0 * cheek
        p[:, 2] -= 3.0 * cheek

    lips = expression.pucker * _near(p, 0, corner_y, 20)
    p[:, 0] *= 1 - 0.3 * lips
    p[:, 2] -= 6.0 * lips

    p[UPPER_LIP, 1] -= 0.1 * expression.mouth_open
    turn = expression.mouth_open / LOWER_LIP_REACH * jaw_shares()
    down, back = p[:, 1] - JAW_JOINT[1], p[:, 2] - JAW_JOINT[2]
    p[:, 1] = JAW_JOINT[1] + down * np.cos(turn) - back * np.sin(turn)
    p[:, 2] = JAW_JOINT[2] + down * np.sin(turn) + back * np.cos(turn)


def _move_eyes(p: FloatArray, expression: Expression) -> None:
    p[BROWS, 1] -= expression.brow_raise * BROW_WEIGHTS
    for inner, weight in ((21, 1.0), (22, 1.0), (20, 0.6), (23, 0.6)):
        p[inner, 0] -= np.sign(p[inner, 0]) * 2.0 * weight * expression.frown
        p[inner, 1] += 3.5 * weight * expression.frown
    closing = {"left": expression.left_eye_closed, "right": expression.right_eye_closed}
    for side, pairs in LIDS.items():
        for upper, lower in pairs:
            opening = p[lower, 1] - p[upper, 1]
            p[upper, 1] += 0.84 * closing[side] * opening
            p[lower, 1] -= 0.12 * closing[side] * opening
            p[lower, 1] -= 0.8 * max(0.0, expression.smile) * (1 - max(0.0, closing[side]))

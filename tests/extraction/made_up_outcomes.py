"""Outcomes without pictures, so that tests of the order of things take no time."""

from __future__ import annotations

import numpy as np

from efld_dlib.boxes import Box, Pose
from efld_dlib.extraction.workers import Outcome, file_state
from efld_dlib.face import Face
from efld_dlib.geometry import parse_features
from efld_dlib.writers import face_cells

CHOSEN = tuple(parse_features("36-45"))


def face(seed: int) -> Face:
    points = np.random.default_rng(seed).uniform(0, 100, (68, 2))
    return Face(Box(seed, 2, 30, 30), 0.5, points, Pose(1.5, float("nan"), -3.25))


def outcome(task) -> Outcome:
    """By turns one face, none, an error, and two faces."""
    state = file_state(task.path)
    kind = task.number % 4
    if kind == 2:
        return Outcome(task.number, *state, "is grün, not a picture", [])
    count = {0: 1, 1: 0, 3: 2}[kind]
    faces = [face_cells(face(task.number + i), CHOSEN) for i in range(count)]
    return Outcome(task.number, *state, None, faces)

"""Predictors small enough to write down, and damaged files made of them."""

from __future__ import annotations

import numpy as np

from efld_dlib.models.predictor import Predictor


def one_split() -> Predictor:
    """One landmark in the middle of the box, moved right by a quarter of it, or else down.

    It goes right where the pixel in the middle is brighter by more than 10.5 levels than the one a
    quarter of the box left of it.
    """
    return Predictor(
        mean_shape=np.array([[0.5, 0.5]], np.float32),
        first=np.array([[[0]]], np.int32),
        second=np.array([[[1]]], np.int32),
        thresholds=np.array([[[10.5]]], np.float32),
        leaves=np.array([[[[0.25, 0.0], [0.0, 0.25]]]], np.float32),
        anchors=np.array([[0, 0]], np.int32),
        deltas=np.array([[[0.0, 0.0], [-0.25, 0.0]]], np.float32),
    )


def random_predictor(seed=0, cascades=2, trees=3, splits=3, points=4, pool=6) -> Predictor:
    rng = np.random.default_rng(seed)
    return Predictor(
        mean_shape=rng.random((points, 2), np.float32),
        first=rng.integers(0, pool, (cascades, trees, splits), np.int32),
        second=rng.integers(0, pool, (cascades, trees, splits), np.int32),
        thresholds=rng.normal(0, 30, (cascades, trees, splits)).astype(np.float32),
        leaves=rng.normal(0, 0.01, (cascades, trees, splits + 1, 2 * points)).astype(np.float32),
        anchors=rng.integers(0, points, (cascades, pool), np.int32),
        deltas=rng.normal(0, 0.1, (cascades, pool, 2)).astype(np.float32),
    )


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with one to three things done to it that happen to files, or are done to them."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if not changed:
            break
        at = int(rng.integers(len(changed)))
        kind = rng.integers(6)
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            changed[at] = rng.integers(256)
        elif kind == 2:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 3:
            changed[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 4:
            del changed[at : at + int(rng.integers(1, 9))]
        else:
            changed[at : at + 4] = b"\x03\xff\xff\xff"
    return bytes(changed)

"""A smaller `.dat` for programs that have nothing but dlib."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .predictor import Float32Array, Predictor

_LEAF_BITS = 8


def slim(predictor: Predictor) -> Predictor:
    """The predictor with short mantissas, which dlib writes in fewer bytes.

    A leaf keeps 8 bits (an error of at most 0.4 %), so that it takes 4 bytes instead of 6.
    Thresholds are rounded down, which decides alike.
    """
    return replace(
        predictor,
        thresholds=predictor.whole_thresholds(),
        leaves=_shortened(predictor.leaves, _LEAF_BITS),
    )


def _shortened(values: Float32Array, bits: int) -> Float32Array:
    """`values` rounded to mantissas of `bits` bits."""
    fraction, exponent = np.frexp(values)
    fraction = np.rint(np.ldexp(fraction, bits))
    shortened: Float32Array = np.ldexp(fraction, exponent - bits)
    return shortened

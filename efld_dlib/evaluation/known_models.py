"""Models that everybody has, and what they were trained on."""

from __future__ import annotations

from pathlib import Path

STOCK_BYTES = 99_693_937
"""Size of dlib's ``shape_predictor_68_face_landmarks.dat``, which was trained on all of 300-W, its
test faces included: 2.78 % on HELEN test is no held-out figure."""


def trained_on_300w_test(model: Path | None) -> bool:
    """Whether a file is the one of `STOCK_BYTES`, so that its figures on 300-W prove nothing."""
    return model is not None and model.is_file() and model.stat().st_size == STOCK_BYTES

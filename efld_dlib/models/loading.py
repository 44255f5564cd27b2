"""Loading a `.dat` file as the plain `dlib.shape_predictor` that it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..backend import load_dlib
from ..errors import ModelFormatError
from ..scheme import SCHEMES

DEFAULT_MODEL = Path("build/efld.dat")
"""What `make train` writes, and what is used where no model is named."""


def resolve_model(path: str | Path | None = None) -> Path:
    """The model file to use: `path`, or `DEFAULT_MODEL` below the working folder.

    Raises
    ------
    ModelFormatError
        There is no such file; the message says how to get a model.
    """
    if path is None:
        if not DEFAULT_MODEL.is_file():
            raise ModelFormatError(
                DEFAULT_MODEL,
                "there is no model yet: run 'make train', or name one with --model FILE.dat",
            )
        return DEFAULT_MODEL
    if not Path(path).is_file():
        raise ModelFormatError(path, "there is no such model file")
    return Path(path)


def load_predictor(path: str | Path | None = None) -> Any:
    """The shape predictor in a `.dat` file.

    Parameters
    ----------
    path : path, optional
        A file written by dlib's trainer; without it, what `resolve_model` finds.

    Returns
    -------
    dlib.shape_predictor
        Call it with an 8-bit gray or RGB array and a `dlib.rectangle`.

    Raises
    ------
    ModelFormatError
        The file is missing, or dlib cannot read it as a shape predictor.
    """
    dlib = load_dlib()
    model = resolve_model(path)
    _check_head(model)
    try:
        return dlib.shape_predictor(str(model))
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelFormatError(model, f"is not a dlib shape predictor ({reason})") from error


def _check_head(model: Path) -> None:
    """Refuse what does not begin like a shape predictor: on some such files dlib itself crashes.

    The head is version 1 (one byte long) and the mean shape's number of rows, written negative.
    """
    try:
        with model.open("rb") as file:
            head = file.read(3)
    except OSError as error:
        raise ModelFormatError(model, f"cannot be read ({error.strerror})") from error
    if len(head) < 3 or head[:2] != b"\x01\x01" or not head[2] & 0x80:
        raise ModelFormatError(model, "is not a dlib shape predictor (it begins otherwise)")


def predictor_size(predictor: Any) -> int:
    """Number of landmarks that a shape predictor gives."""
    dlib = load_dlib()
    blank = np.zeros((8, 8), np.uint8)
    return int(predictor(blank, dlib.rectangle(0, 0, 7, 7)).num_parts)


def require_68_points(predictor: Any, path: str | Path) -> None:
    """Refuse a predictor of another scheme with a `ModelFormatError`."""
    size = predictor_size(predictor)
    if size != SCHEMES["68"].size:
        raise ModelFormatError(path, f"predicts {size} landmarks, and 68 are needed here")

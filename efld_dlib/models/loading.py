"""Loading a model file, `.dat` or `.efld`, as a plain `dlib.shape_predictor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..backend import load_dlib
from ..errors import ModelFormatError
from ..files import is_file, read_input
from ..landmarks import SCHEMES
from .compact import efld_roles, is_efld, parse_efld, require_role
from .dat import parse_dat
from .direct import direct_bytes
from .forest import CropPredictor, DlibPredictor, Forest
from .predictor import Predictor
from .quantised import Quantised

DEFAULT_MODEL = Path(__file__).resolve().parent.parent / "data" / "model" / "default.efld"
"""What comes with the package, and what is used where no model is named. For non-commercial
research only, as the pictures that it was trained on: see LICENCE.md beside it."""

REFINED = "refined"
"""Role of the predictor that is made for faces which the landmark network has located."""


def resolve_model(path: str | Path | None = None) -> Path:
    """The model file to use: `path`, or `DEFAULT_MODEL`.

    Raises
    ------
    ModelFormatError
        There is no such file.
    """
    if path is None:
        return DEFAULT_MODEL
    if not is_file(path):
        raise ModelFormatError(path, "there is no such model file")
    return Path(path)


def load_predictor(path: str | Path | None = None, role: str | None = None) -> Any:
    """The shape predictor in a `.dat` or `.efld` file.

    Parameters
    ----------
    path : path, optional
        A file written by dlib's trainer, or one that `efld-dlib model compress` made of it; without
        it, `DEFAULT_MODEL`.
    role : str, optional
        Of an `.efld` file that holds several predictors, the one to load; by default the first.

    Returns
    -------
    dlib.shape_predictor
        Call it with an 8-bit gray or RGB array and a `dlib.rectangle`.

    Raises
    ------
    ModelFormatError
        The file is missing or damaged, or is no shape predictor.
    OptionError
        The file has no predictor of that role.
    """
    model = resolve_model(path)
    return predictor_from_bytes(read_input(model, ModelFormatError), model, role)


def predictor_from_bytes(data: bytes, source: str | Path, role: str | None = None) -> Any:
    """The shape predictor in the bytes of a `.dat` or `.efld` file; else as `load_predictor`."""
    if is_efld(data):
        data = direct_bytes(_quantised(data, source, role))
    else:
        # dlib believes what it reads: it may crash on a damaged file, or later in predicting.
        parse_dat(data, source)
    return _from_dat(data, source)


def _from_dat(data: bytes, source: str | Path) -> Any:
    dlib = load_dlib()
    predictor = dlib.shape_predictor.__new__(dlib.shape_predictor)
    try:
        predictor.__setstate__((data,))
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelFormatError(source, f"is not a dlib shape predictor ({reason})") from error
    return predictor


def load_refined(path: str | Path | None = None, cascades: int | None = None) -> CropPredictor:
    """The predictor for faces that the landmark network has located: `REFINED`, or the first one.

    That of an `.efld` file is run as it is kept there, without dlib.

    Parameters
    ----------
    path : path, optional
        As of `load_predictor`.
    cascades : int, optional
        Only so many first cascades of one of role `REFINED`: less exact, and faster.
    """
    model = resolve_model(path)
    data = read_input(model, ModelFormatError)
    if not is_efld(data):
        return DlibPredictor(predictor_from_bytes(data, model))
    roles = efld_roles(data, model)
    role = REFINED if REFINED in roles else roles[0]
    quantised = _quantised(data, model, role)
    if role == REFINED:
        quantised = quantised.first_cascades(cascades)
    if Forest.can_run(quantised):
        return Forest(quantised)
    return DlibPredictor(_from_dat(direct_bytes(quantised), model))


def _quantised(data: bytes, source: str | Path, role: str | None) -> Quantised:
    roles = efld_roles(data, source)
    role = role if role is not None else roles[0]
    # Before the others are left out, of which the message tells.
    require_role(role, roles)
    return parse_efld(data, source, {role}).quantised(role)


def load_arrays(path: str | Path | None = None, role: str | None = None) -> Predictor:
    """The shape predictor in a `.dat` or `.efld` file, as arrays; else as `load_predictor`."""
    model = resolve_model(path)
    data = read_input(model, ModelFormatError)
    return parse_efld(data, model).predictor(role) if is_efld(data) else parse_dat(data, model)


def predictor_size(predictor: Any) -> int:
    """Number of landmarks that a shape predictor gives."""
    dlib = load_dlib()
    blank = np.zeros((8, 8), np.uint8)
    return int(predictor(blank, dlib.rectangle(0, 0, 7, 7)).num_parts)


def require_68_points(size: int, path: str | Path) -> None:
    """Refuse a predictor of so many other landmarks with a `ModelFormatError`."""
    if size != SCHEMES["68"].size:
        raise ModelFormatError(path, f"predicts {size} landmarks, and 68 are needed here")

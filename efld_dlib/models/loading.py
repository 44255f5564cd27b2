"""A quantised predictor as bytes that dlib reads, made faster than `dat` makes them.

`dat.dat_bytes` writes every number as short as dlib does. Here all numbers of a kind have one
length, so that they are laid down in whole arrays; dlib reads either, as the same predictor.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import load_dlib
from ..errors import ModelFormatError
from ..files import is_file, read_input
from ..landmarks import SCHEMES
from .dat import assembled, parse_dat
from .efld import choose_role, is_efld, parse_efld
from .forest import CropPredictor, DlibPredictor, Forest
from .predictor import Predictor
from .quantised import Quantised

# A number of three bytes behind its control byte, and a float: mantissa, exponent (one byte).
_NUMBER, _FLOAT = 4, 6
_THREADS = 2


def direct_bytes(quantised: Quantised) -> bytes:
    """Bytes for `dlib.shape_predictor.__setstate__`."""
    cascades, trees, _ = quantised.first.shape
    deltas = np.ldexp(quantised.deltas.astype(np.float32), quantised.delta_exponent)
    with ThreadPoolExecutor(_THREADS) as threads:
        # numpy lets other threads run while it works on a large array.
        forests = threads.map(partial(_forest, quantised), range(cascades))
        return assembled(quantised.mean_shape, trees, forests, quantised.anchors, deltas)


def _forest(quantised: Quantised, cascade: int) -> memoryview:
    trees, splits = quantised.first.shape[1:]
    leaves, rows = splits + 1, 2 * len(quantised.mean_shape)
    split_size, leaf_size = 2 * _NUMBER + _FLOAT, 2 * _NUMBER + rows * _FLOAT
    leaf_start = 2 * _NUMBER + splits * split_size
    tree_size = leaf_start + leaves * leaf_size
    out = np.empty(trees * tree_size, dtype=np.uint8)

    def field(kind: str, offset: int, *shape_and_strides: tuple[int, int]) -> NDArray[Any]:
        shape, strides = zip((trees, tree_size), *shape_and_strides, strict=True)
        return np.ndarray(shape, dtype=kind, buffer=out, offset=offset, strides=strides)

    field("<u4", 0)[...] = _words(np.array(splits))
    field("<u4", leaf_start - _NUMBER)[...] = _words(np.array(leaves))
    per_split = (splits, split_size)
    field("<u4", _NUMBER, per_split)[...] = _words(quantised.first[cascade])
    field("<u4", 2 * _NUMBER, per_split)[...] = _words(quantised.second[cascade])
    field("<u4", 3 * _NUMBER, per_split)[...] = _words(quantised.thresholds[cascade])
    field("<u2", 4 * _NUMBER, per_split)[...] = 1
    per_leaf, per_row = (leaves, leaf_size), (rows, _FLOAT)
    field("<u4", leaf_start, per_leaf)[...] = _words(np.array(-rows))
    field("<u4", leaf_start + _NUMBER, per_leaf)[...] = _words(np.array(-1))
    numbers = quantised.leaf_integers(cascade).reshape(trees, leaves, rows)
    start = leaf_start + 2 * _NUMBER
    field("<u4", start, per_leaf, per_row)[...] = _words(numbers.astype(np.int32))
    exponents = quantised.classes[cascade][..., None].astype(np.int32) + quantised.exponent
    field("<u2", start + _NUMBER, per_leaf, per_row)[...] = (
        (np.abs(exponents) << 8) | 1 | ((exponents < 0) << 7)
    )
    return out.data


def _words(numbers: NDArray[Any]) -> NDArray[np.uint32]:
    """Control byte and three bytes of each number, as one word of 32 bits."""
    numbers = numbers.astype(np.int32, copy=False)
    words: NDArray[np.uint32] = np.abs(numbers).view(np.uint32) << np.uint32(8)
    words |= np.uint32(3)
    words |= (numbers < 0).astype(np.uint32) << np.uint32(7)
    return words


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
        data = direct_bytes(parse_efld(data, source, partial(choose_role, role)).quantised())
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
    compact = parse_efld(data, model, lambda own: REFINED if REFINED in own else next(iter(own)))
    ((role, quantised),) = compact.predictors.items()
    if role == REFINED:
        quantised = quantised.first_cascades(cascades)
    if Forest.can_run(quantised):
        return Forest(quantised)
    return DlibPredictor(_from_dat(direct_bytes(quantised), model))


def load_arrays(path: str | Path | None = None, role: str | None = None) -> Predictor:
    """The shape predictor in a `.dat` or `.efld` file, as arrays; else as `load_predictor`."""
    model = resolve_model(path)
    data = read_input(model, ModelFormatError)
    return parse_efld(data, model).predictor(role) if is_efld(data) else parse_dat(data, model)


def predictor_size(predictor: Any) -> int:
    """Number of landmarks that a shape predictor gives."""
    return DlibPredictor(predictor).points


def require_68_points(size: int, path: str | Path) -> None:
    """Refuse a predictor of so many other landmarks with a `ModelFormatError`."""
    if size != SCHEMES["68"].size:
        raise ModelFormatError(path, f"predicts {size} landmarks, and 68 are needed here")

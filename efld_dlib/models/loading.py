"""A quantised predictor as bytes that dlib reads, made faster than `dat` makes them.

`dat.dat_bytes` writes every number as short as dlib does. Here all numbers of a kind have one
length, so that they are laid down in whole arrays; dlib reads either, as the same predictor.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backend import load_dlib
from ..errors import DataError, ModelFormatError, OptionError
from ..files import is_file, read_input
from ..landmarks import SCHEMES, Scheme, numbered_scheme, read_scheme
from .dat import assembled, number_words, parse_dat
from .efld import choose_role, is_efld, parse_efld
from .forest import CropPredictor, DlibPredictor, Forest
from .information import training_report
from .predictor import Predictor
from .quantised import Quantised

# A number of three bytes behind its control byte, and a float, whose exponent takes one byte.
_NUMBER = "<u4"
_FLOAT = np.dtype([("mantissa", _NUMBER), ("exponent", "<u2")])
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
    rows = 2 * len(quantised.mean_shape)
    split = [("first", _NUMBER), ("second", _NUMBER), ("threshold", _FLOAT)]
    leaf = [("rows", _NUMBER), ("columns", _NUMBER), ("values", _FLOAT, (rows,))]
    tree: list[Any] = [("splits", _NUMBER), ("split", split, (splits,))]
    tree += [("leaves", _NUMBER), ("leaf", leaf, (splits + 1,))]
    out = np.empty(trees, tree)
    out["splits"], out["leaves"] = _words([[splits], [splits + 1]])
    out["split"]["first"] = _words(quantised.first[cascade])
    out["split"]["second"] = _words(quantised.second[cascade])
    out["split"]["threshold"]["mantissa"] = _words(quantised.thresholds[cascade])
    out["split"]["threshold"]["exponent"] = 1
    out["leaf"]["rows"], out["leaf"]["columns"] = _words([[[-rows]], [[-1]]])
    values = out["leaf"]["values"]
    numbers = quantised.leaf_integers(cascade).astype(np.int32)
    values["mantissa"] = _words(numbers).reshape(values.shape)
    exponents = quantised.classes[cascade][..., None].astype(np.int32) + quantised.exponent
    values["exponent"] = (np.abs(exponents) << 8) | 1 | ((exponents < 0) << 7)
    return out.view(np.uint8).data


def _words(numbers: ArrayLike) -> NDArray[np.uint32]:
    return number_words(np.asarray(numbers, np.int32), np.uint8(3))


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


def load_refined(
    path: str | Path | None = None, cascades: int | None = None
) -> tuple[CropPredictor, Scheme]:
    """The predictor for faces that the landmark network has located, and what its landmarks are.

    It is the one of role `REFINED`, or the first one. That of an `.efld` file is run as it is kept
    there, without dlib.

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
        predictor = DlibPredictor(predictor_from_bytes(data, model))
        return predictor, _scheme_of_dat(model, predictor.points)
    compact = parse_efld(data, model, lambda own: REFINED if REFINED in own else next(iter(own)))
    ((role, quantised),) = compact.predictors.items()
    if role == REFINED:
        quantised = quantised.first_cascades(cascades)
    scheme = scheme_of(compact.metadata, len(quantised.mean_shape), model)
    if Forest.can_run(quantised):
        return Forest(quantised), scheme
    return DlibPredictor(_from_dat(direct_bytes(quantised), model)), scheme


def load_arrays(path: str | Path | None = None, role: str | None = None) -> Predictor:
    """The shape predictor in a `.dat` or `.efld` file, as arrays; else as `load_predictor`."""
    model = resolve_model(path)
    data = read_input(model, ModelFormatError)
    if not is_efld(data):
        return parse_dat(data, model)
    return parse_efld(data, model, partial(choose_role, role)).quantised().predictor()


_WELL_KNOWN = {68: "68", 5: "5", 81: "81", 194: "194"}
"""Published `.dat` files, which say nothing of their landmarks, by the number of these."""


def scheme_of(metadata: Mapping[str, Any], points: int, source: str | Path) -> Scheme:
    """What the landmarks of a predictor are, by what is said of it or by their number.

    Raises
    ------
    ModelFormatError
        The metadata states a scheme that is none, or one of another number of landmarks.
    """
    stated = metadata.get("scheme")
    if stated is None:
        known = _WELL_KNOWN.get(points)
        return numbered_scheme(points) if known is None else SCHEMES[known]
    try:
        scheme = read_scheme(stated)
    except OptionError as error:
        raise ModelFormatError(source, f"states a scheme that is none ({error})") from error
    if scheme.size != points:
        problem = f"predicts {points} landmarks, and {scheme.title} has {scheme.size}"
        raise ModelFormatError(source, problem)
    return scheme


def model_scheme(path: str | Path | None = None) -> Scheme:
    """What the landmarks of a model are; the errors are those of `load_predictor`."""
    return load_refined(path)[1]


def _scheme_of_dat(path: Path, points: int) -> Scheme:
    metadata: dict[str, Any] = {}
    # A file beside it must not keep anyone from using this one.
    with suppress(DataError):
        metadata = training_report(path)
    return scheme_of(metadata, points, path)

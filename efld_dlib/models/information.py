"""What is in a model file, in words and numbers."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import DataError, ModelFormatError
from ..files import is_file, read_input
from .dat import dat_bytes, parse_dat
from .efld import is_efld, parse_efld
from .predictor import Predictor


def describe(path: str | Path) -> dict[str, Any]:
    """What a `.dat` or `.efld` file holds.

    Returns
    -------
    dict
        ``file``, ``format``, ``bytes``; ``predictors``: by role, ``points``, ``cascades``,
        ``trees`` (of a cascade), ``depth``, ``leaves`` (in all), ``pool`` and ``dat_bytes`` (as a
        `.dat`); ``part_bytes``, of an `.efld` only; ``metadata``, as of `metadata_of`, though empty
        where that of a `.dat` cannot be read; ``licence`` (or None).

    Raises
    ------
    ModelFormatError
        The file cannot be read, or is damaged.
    """
    data = read_input(path, ModelFormatError)
    metadata: dict[str, Any] = {}
    predictors: dict[str, dict[str, int]] = {}
    parts: dict[str, int] = {}
    if is_efld(data):
        model = parse_efld(data, path)
        metadata, parts = model.metadata, model.part_bytes
        parts["other"] = len(data) - sum(parts.values())
        for role, quantised in model.predictors.items():
            predictor = quantised.predictor()
            predictors[role] = {**_sizes(predictor), "dat_bytes": len(dat_bytes(predictor))}
    else:
        predictor = parse_dat(data, path)
        predictors["predictor"] = {**_sizes(predictor), "dat_bytes": len(data)}
        # A file beside it must not keep anyone from looking at this one.
        with suppress(DataError):
            metadata = training_report(path)
    return {
        "file": str(path),
        "format": "efld" if is_efld(data) else "dlib shape predictor",
        "bytes": len(data),
        "predictors": predictors,
        "part_bytes": parts,
        "licence": metadata.get("licence"),
        "metadata": metadata,
    }


def metadata_of(path: str | Path) -> dict[str, Any]:
    """What is known of a model: how it was trained, its licence.

    Returns
    -------
    dict
        The metadata of an `.efld`. Of a `.dat` what the report says that training wrote beside it;
        empty where there is none, or where it is of a file of another size.

    Raises
    ------
    ModelFormatError
        The model cannot be read, or is damaged.
    DataError
        The file ending in ``.json`` beside a `.dat` is no JSON, or cannot be read.
    """
    data = read_input(path, ModelFormatError)
    return parse_efld(data, path).metadata if is_efld(data) else training_report(path)


def training_report(path: str | Path) -> dict[str, Any]:
    """As `metadata_of`, of a `.dat`."""
    model = Path(path)
    report = model.with_suffix(".json")
    if not is_file(report):
        return {}
    data = read_input(report)
    try:
        found = json.loads(data)
        # Half of a surrogate pair, which JSON can spell, is no text that can be written.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(report, f"is no JSON ({error})") from error
    if not isinstance(found, dict) or found.get("bytes") != model.stat().st_size:
        return {}
    return {name: found[name] for name in _REPORTED if name in found}


_REPORTED = ("preset", "options", "data", "nme", "versions", "licence", "scheme")


def _sizes(predictor: Predictor) -> dict[str, int]:
    return {
        "points": predictor.points,
        "cascades": predictor.cascades,
        "trees": predictor.trees,
        "depth": predictor.depth,
        "leaves": predictor.cascades * predictor.trees * (predictor.splits + 1),
        "pool": predictor.pool,
    }

"""Telling models from data on a command line, and naming the models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import OptionError

MODEL_SUFFIXES = (".dat", ".efld")

_NAMED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)


def split_arguments(arguments: Iterable[str]) -> tuple[dict[str, Path], list[Path]]:
    """Models by name, and everything else.

    Parameters
    ----------
    arguments : iterable of str
        A file ending in one of `MODEL_SUFFIXES`, also as ``NAME=FILE``, is a model.

    Raises
    ------
    OptionError
        Two models have one name.
    """
    models, others = [], []
    for argument in arguments:
        if Path(argument).suffix.lower() in MODEL_SUFFIXES and not Path(argument).is_dir():
            models.append(named_file(argument))
        else:
            others.append(Path(argument))
    return _by_name(models), others


def models_or_package(models: dict[str, Path]) -> dict[str, Path]:
    """The models, or where none is given the one that comes with the package."""
    from ..models.loading import resolve_model

    return models or {"package": resolve_model()}


def split_name(text: str) -> tuple[str, str] | None:
    """The parts of ``NAME=PATH``, of which a name has no slash; None where it is none."""
    match = _NAMED.fullmatch(text)
    return None if match is None else (match[1], match[2])


def named_file(argument: str) -> tuple[str, Path]:
    """The name that was given, or an empty one, and the file."""
    parts = split_name(argument)
    # A file that is there may have a sign of equality in its name.
    if parts is not None and not Path(argument).exists():
        return parts[0], Path(parts[1])
    return "", Path(argument)


def _by_name(models: list[tuple[str, Path]]) -> dict[str, Path]:
    """The stem names a model that has no name, or its whole path where two stems are the same."""
    stems = [name or path.stem for name, path in models]
    named: dict[str, Path] = {}
    for (name, path), stem in zip(models, stems, strict=True):
        chosen = name or (stem if stems.count(stem) == 1 else str(path))
        if chosen in named:
            raise OptionError(f"two models are called '{chosen}': name them as NAME=FILE.dat")
        named[chosen] = path
    return named

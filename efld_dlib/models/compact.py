"""The `.efld` file: one or several predictors in a twentieth of the space (docs/efld-format.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelFormatError, OptionError
from ..files import atomic_path, read_input
from .arrays import pack_arrays, unpack_arrays
from .container import MAGIC, Content, join, split
from .predictor import Predictor
from .quantised import Quantised


def require_role(role: str, roles: Collection[str]) -> None:
    """Refuse a role that is none of `roles` with an `OptionError` that lists them."""
    if role not in roles:
        raise OptionError(f"there is no predictor '{role}', but {', '.join(roles)}")


@dataclass(frozen=True, eq=False)
class CompactModel:
    """What an `.efld` file holds.

    Parameters
    ----------
    predictors : dict of str to Quantised
        By role, in the order of the file; the first is what `load_predictor` gives.
    metadata : dict
        Whatever is known of the model: scheme, training options, data, licence, error. JSON values.
    part_bytes : dict of str to int
        Where the file's bytes go, by name of the array, all predictors together.
    """

    predictors: dict[str, Quantised]
    metadata: dict[str, Any]
    part_bytes: dict[str, int]

    def quantised(self, role: str | None = None) -> Quantised:
        """The predictor of `role`, or the first one; an `OptionError` lists the roles."""
        if role is None:
            return next(iter(self.predictors.values()))
        require_role(role, self.predictors)
        return self.predictors[role]

    def predictor(self, role: str | None = None) -> Predictor:
        """The same as arrays of floats."""
        return self.quantised(role).predictor()


def is_efld(data: bytes) -> bool:
    """Whether `data` begins as an `.efld` file does."""
    return data[: len(MAGIC)] == MAGIC


def efld_roles(data: bytes, source: str | Path = "<bytes>") -> list[str]:
    """The roles of the predictors in an `.efld` file's bytes; errors as of `parse_efld`."""
    entries = split(data, source).header.get("predictors")
    listed = isinstance(entries, list) and all(isinstance(each, dict) for each in entries)
    if not listed or not entries:
        raise ModelFormatError(source, "has a header without predictors")
    return [str(entry.get("role")) for entry in entries]


def efld_bytes(predictors: Mapping[str, Quantised], metadata: Mapping[str, Any]) -> bytes:
    """The bytes of an `.efld` file.

    Parameters
    ----------
    predictors : mapping of str to Quantised
        By role; the first is the one that programs use which know of no roles.
    metadata : mapping
        JSON values.

    Raises
    ------
    OptionError
        There is no predictor, or the metadata cannot be written as JSON.
    """
    if not predictors:
        raise OptionError("a file needs a predictor to hold")
    entries: list[dict[str, Any]] = []
    packed: list[bytes] = []
    for role, quantised in predictors.items():
        numbers, arrays = pack_arrays(quantised)
        lengths = [[name, len(array)] for name, array in arrays.items()]
        entries.append({"role": role, **numbers, "arrays": lengths})
        packed += arrays.values()
    try:
        return join({"metadata": dict(metadata), "predictors": entries}, b"".join(packed))
    except (TypeError, ValueError) as error:
        raise OptionError(f"the metadata cannot be written as JSON ({error})") from error


def write_efld(
    predictors: Mapping[str, Quantised], metadata: Mapping[str, Any], path: str | Path
) -> None:
    """Write an `.efld` file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(efld_bytes(predictors, metadata))


def read_efld(path: str | Path) -> CompactModel:
    """The content of an `.efld` file.

    Raises
    ------
    ModelFormatError
        The file cannot be read, is damaged, or of a later version.
    """
    return parse_efld(read_input(path, ModelFormatError), path)


def parse_efld(
    data: bytes, source: str | Path = "<bytes>", roles: Collection[str] | None = None
) -> CompactModel:
    """The content of the bytes of an `.efld` file; `source` names it in errors.

    Parameters
    ----------
    data : bytes
    source : path
    roles : collection of str, optional
        Predictors to unpack, which takes time; all of them without it.

    Raises
    ------
    ModelFormatError
        As `read_efld`.
    """
    content = split(data, source)
    metadata, entries = content.header.get("metadata"), content.header.get("predictors")
    if not isinstance(metadata, dict) or not isinstance(entries, list) or not entries:
        raise ModelFormatError(source, "has a header without metadata or predictors")
    predictors: dict[str, Quantised] = {}
    part_bytes: dict[str, int] = {}
    seen: set[str] = set()
    position = 0
    for entry in entries:
        try:
            role = entry["role"]
            if not isinstance(role, str) or role in seen:
                raise ValueError(f"the role {role!r} is no name, or there twice")
            seen.add(role)
            parts, position = _parts(entry, content, position)
            if roles is None or role in roles:
                predictors[role] = unpack_arrays(entry, parts, len(data))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ModelFormatError(source, f"has a damaged predictor ({reason})") from error
        for name, part in parts.items():
            part_bytes[name] = part_bytes.get(name, 0) + len(part)
    if position != len(content.arrays):
        raise ModelFormatError(source, "has data that belongs to no predictor")
    return CompactModel(predictors, metadata, part_bytes)


def _parts(
    entry: Mapping[str, Any], content: Content, position: int
) -> tuple[dict[str, memoryview], int]:
    """The packed arrays of a predictor, which begin at `position`, and where they end."""
    parts: dict[str, memoryview] = {}
    for name, length in entry["arrays"]:
        if type(length) is not int or not 0 <= length <= len(content.arrays) - position:
            raise ValueError(f"{name} of {length!r} bytes is announced")
        parts[str(name)] = content.arrays[position : position + length]
        position += length
    return parts, position

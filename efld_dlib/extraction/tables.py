"""The table that an extraction ends in: one row a face, as CSV, JSON Lines or Parquet."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType

from ..errors import MissingDependencyError, OptionError
from ..writers import TEXT_COLUMNS, Row

# Rows of a group in a Parquet file; what is in memory at a time.
_GROUP = 4096


TableWriter = Callable[[Path, Sequence[str], Iterable[Row]], None]
"""Writes columns and rows into a file, and holds only a few rows in memory at a time."""


def table_writer(target: Path) -> TableWriter:
    """What writes the format that a file's suffix asks for.

    Raises
    ------
    OptionError
        It is none of `KINDS`.
    MissingDependencyError
        It is Parquet, and pyarrow is not installed.
    """
    kind = target.suffix.lower().lstrip(".")
    if kind not in _WRITERS:
        raise OptionError(f"'{target}' must end in .{', .'.join(KINDS[:-1])} or .{KINDS[-1]}")
    if kind == "parquet":
        _pyarrow("pyarrow")
    return _WRITERS[kind]


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _write_jsonl(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in rows:
            entry = dict(zip(columns, row, strict=True))
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    kinds = {**dict.fromkeys(TEXT_COLUMNS, arrow.string()), "face": arrow.int32()}
    schema = arrow.schema([(name, kinds.get(name, arrow.float64())) for name in columns])
    source = iter(rows)
    with parquet.ParquetWriter(str(path), schema) as writer:
        # Groups of a fixed number of rows, whatever run they come from: the same bytes again.
        while group := list(islice(source, _GROUP)):
            arrays = [
                arrow.array(values, field.type)
                for values, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _pyarrow(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"Parquet needs pyarrow ({error}): pip install pyarrow, or let the "
            "output end in .csv or .jsonl"
        ) from error


_WRITERS: dict[str, TableWriter] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "jsonl": _write_jsonl,
}
KINDS = tuple(_WRITERS)

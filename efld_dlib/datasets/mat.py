"""A look at the skeleton of a `.mat` file before SciPy reads it.

SciPy's reader trusts type numbers, flags and dimensions; a damaged one ends the whole process, or
takes all memory. The format: MathWorks, "MAT-File Format", level 5.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from ..files import read_input

_HEADER = 128
# Types of elements, by their numbers in the format's description.
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}
# Levels of cells and structs in each other; the data sets read here have two or three.
_MAX_DEPTH = 20
# Bytes that one element may unpack to; AFLW-19's largest variable has 7 million.
_LARGEST = 512 << 20

# An array begins with its flags (with the class in the lowest byte), dimensions and name; a struct
# goes on with the width of its field names, and the names.
_ARRAY_HEAD, _STRUCT_HEAD = (6, 5, 1), (5, 1)
_CELL, _STRUCT, _CHAR = 1, 2, 4
_COMPLEX = 0x0800
# By class, the types of what is in an array: cells, structs, text, and numbers of every kind. There
# are others, such as sparse arrays and objects, which no data set has.
_CONTENT: dict[int, set[int]] = {
    _CELL: {_MATRIX},
    _STRUCT: {_MATRIX},
    _CHAR: _NUMBERS | {16, 17, 18},
    **dict.fromkeys(range(6, 16), _NUMBERS),
}


def check_tags(data: bytes) -> None:
    """Walk through all elements of a level 5 file.

    Parameters
    ----------
    data : bytes
        The file. One of another level is not looked at.

    Raises
    ------
    ValueError, struct.error
        An element is of no known type, or reaches over the end of what it stands in.
    zlib.error
        A compressed element is damaged.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        return
    for kind, content in _elements(data[_HEADER:], order):
        packed = kind == _COMPRESSED
        for each in _elements(_unpacked(content), order) if packed else [(kind, content)]:
            _check_array(*each, order)


def _unpacked(content: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(content, _LARGEST)
    if not unpacker.eof:
        raise ValueError("compressed element that is cut short, or unpacks to more than is read")
    return data


def _check_array(kind: int, content: bytes, order: str, depth: int = 0) -> None:
    """Check an array, and those in its cells or fields."""
    if kind != _MATRIX or depth > _MAX_DEPTH:
        raise ValueError(f"element of type {kind} where an array was expected")
    if not content:
        return
    kinds, parts = zip(*_elements(content, order), strict=True)
    if kinds[:3] != _ARRAY_HEAD or len(parts[0]) != 8 or len(parts[1]) < 8:
        raise ValueError("damaged head of an array")
    (flags,) = struct.unpack_from(f"{order}I", parts[0])
    array_class, start = flags & 0xFF, 3
    count = expected = prod(struct.unpack(f"{order}{len(parts[1]) // 4}I", parts[1]))
    if array_class == _STRUCT:
        if kinds[3:5] != _STRUCT_HEAD:
            raise ValueError("damaged field names of a struct")
        (width,) = struct.unpack(f"{order}I", parts[3])
        start, expected = 5, count * (len(parts[4]) // width if width else 0)
    elif array_class != _CELL:
        expected = 2 if flags & _COMPLEX else 1
    if array_class not in _CONTENT:
        raise ValueError(f"array of class {array_class}, which no data set has")
    inner = kinds[start:]
    if not set(inner) <= _CONTENT[array_class]:
        raise ValueError("array with content of another type")
    if len(inner) != expected or (count > 1 and not inner):
        raise ValueError(f"{len(inner)} parts in an array of {count} elements")
    for kind, part in zip(inner, parts[start:], strict=True):
        if kind == _MATRIX:
            _check_array(kind, part, order, depth + 1)
        elif len(part) < count:
            raise ValueError(f"array of {count} elements with too few values")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError("ends within an element")
        kind, size = struct.unpack_from(f"{order}II", data, position)
        start, end = position + 8, position + 8 + size
        position = end if kind == _COMPRESSED else end + -size % 8
        if kind >> 16:  # a small element: size, type and content in eight bytes
            kind, size = kind & 0xFFFF, kind >> 16
            position, start, end = start, start - 4, start - 4 + size
            if size > 4:
                raise ValueError(f"small element of {size} bytes")
        if end > len(data):
            raise ValueError("ends within an element")
        yield kind, data[start:end]


# What stands for version 7.3 in a header, by the writer's byte order.
_HDF5_VERSIONS = (b"\x00\x02", b"\x02\x00")


class MatFile:
    """The variables of a `.mat` file of MATLAB version 4 to 7.2.

    Parameters
    ----------
    path : path
        The file.
    simplify : bool
        Give structs as dictionaries and cells as plain arrays.

    Raises
    ------
    DataError
        The file is missing, damaged, no `.mat` file, or one of version 7.3, which is HDF5.
    """

    def __init__(self, path: str | Path, simplify: bool = False) -> None:
        # scipy.io takes longer to import than most commands to answer.
        from scipy.io import loadmat

        self.path = Path(path)
        data = read_input(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of twice-named variables and the like
                if data[124:126] not in _HDF5_VERSIONS:
                    check_tags(data)
                self._variables: dict[str, Any] = loadmat(BytesIO(data), simplify_cells=simplify)
        except NotImplementedError as error:
            problem = (
                "is a MATLAB 7.3 file (HDF5), which cannot be read; save it with -v7 in MATLAB"
            )
            raise DataError(path, problem) from error
        except Exception as error:
            # A damaged file makes scipy raise nearly anything: ValueError, TypeError, zlib.error,
            # KeyError, IndexError, MemoryError, its own MatReadError, …
            problem = str(error) or type(error).__name__
            raise DataError(path, f"is not a usable .mat file ({problem})") from error

    def __getitem__(self, name: str) -> Any:
        try:
            return self._variables[name]
        except KeyError:
            present = ", ".join(key for key in self._variables if not key.startswith("__"))
            raise DataError(
                self.path, f"has no variable '{name}', only: {present or 'nothing'}"
            ) from None

    def numbers(self, name: str, *shapes: tuple[int | None, ...]) -> FloatArray:
        """The variable `name` as finite numbers of one of `shapes`, where None is any length.

        Raises
        ------
        DataError
            It is missing, is of another shape or type, or holds a number that is not finite.
        """
        value = np.asarray(self[name])
        if value.dtype.kind not in "fiub":
            raise DataError(self.path, f"variable '{name}' is not of numbers")
        if not any(_fits(value.shape, shape) for shape in shapes):
            wanted = " or ".join(
                " x ".join("n" if n is None else str(n) for n in s) for s in shapes
            )
            found = " x ".join(map(str, value.shape))
            raise DataError(self.path, f"variable '{name}' is {found}, not {wanted}")
        numbers = value.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise DataError(self.path, f"variable '{name}' holds a number that is not finite")
        return numbers

    def strings(self, name: str) -> list[str]:
        """The variable `name`, a cell array of text, in order.

        Raises
        ------
        DataError
            It is missing, or one of its cells is not text; names the cell, counted from 1.
        """
        texts = []
        for number, cell in enumerate(np.ravel(np.asarray(self[name], dtype=object)), start=1):
            inner = np.ravel(np.asarray(cell))
            if len(inner) != 1 or not isinstance(inner[0], str):
                raise DataError(self.path, f"cell {number} of '{name}' is not text")
            texts.append(str(inner[0]).strip())
        return texts


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(
        w is None or f == w for f, w in zip(found, wanted, strict=True)
    )

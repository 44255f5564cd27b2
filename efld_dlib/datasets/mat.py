"""A look at the skeleton of a `.mat` file before SciPy reads it.

SciPy's reader trusts type numbers, flags and dimensions; a damaged one ends the whole process, or
takes all memory. The format: MathWorks, "MAT-File Format", level 5.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from ..files import read_bytes

_HEADER = 128
# Types of elements, by their numbers in the format's description.
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13))
_TEXT = _NUMBERS | {16, 17, 18}
# Levels of cells and structs in each other; the data sets read here have two or three.
_MAX_DEPTH = 20
# Bytes that one element may unpack to; AFLW-19's largest variable has 7 million.
_LARGEST = 512 << 20

# Of an array: its flags (with the class in the lowest byte), dimensions and name.
_ARRAY_HEAD = ((6, 8), (5, None), (1, None))
_CELL, _STRUCT, _CHAR = 1, 2, 4
_COMPLEX = 0x0800
_NUMERIC_CLASSES = range(6, 16)  # floating-point and whole numbers

Element = tuple[int, bytes]

ByteOrder = Literal["little", "big"]


def check_tags(data: bytes) -> None:
    """Walk through all elements of a level 5 file.

    Parameters
    ----------
    data : bytes
        The file. One of another level is not looked at.

    Raises
    ------
    ValueError
        An element is of no known type, or reaches over the end of what it stands in.
    zlib.error
        A compressed element is damaged.
    """
    mark = data[126:128]
    order: ByteOrder = "little" if mark == b"IM" else "big"
    if mark in (b"IM", b"MI"):
        for kind, content in _elements(data[_HEADER:], order):
            if kind == _COMPRESSED:
                for inner, array in _elements(_unpacked(content), order):
                    _check_array(inner, array, order, 0)
            else:
                _check_array(kind, content, order, 0)


def _unpacked(content: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(content, _LARGEST)
    if not unpacker.eof:
        raise ValueError("compressed element that is cut short, or unpacks to more than is read")
    return data


def _check_array(kind: int, content: bytes, order: ByteOrder, depth: int) -> None:
    if kind != _MATRIX or depth > _MAX_DEPTH:
        raise ValueError(f"element of type {kind} where an array was expected")
    if not content:
        return
    parts = list(_elements(content, order))
    for (found, data), (wanted, size) in zip(parts, _ARRAY_HEAD, strict=False):
        if found != wanted or size not in (None, len(data)):
            raise ValueError("damaged head of an array")
    if len(parts) < len(_ARRAY_HEAD):
        raise ValueError("array without a head")
    flags = int.from_bytes(parts[0][1][:4], order)
    count = _count(parts[1][1], order)
    content_parts = parts[len(_ARRAY_HEAD) :]
    if flags & 0xFF in (_CELL, _STRUCT):
        _check_members(flags & 0xFF == _STRUCT, count, content_parts, order, depth)
    else:
        _check_values(flags, count, content_parts)


def _count(dimensions: bytes, order: ByteOrder) -> int:
    """Number of elements of an array."""
    if len(dimensions) % 4 or len(dimensions) < 8:
        raise ValueError("damaged dimensions of an array")
    places = range(0, len(dimensions), 4)
    return prod(int.from_bytes(dimensions[i : i + 4], order) for i in places)


def _check_members(
    struct: bool, count: int, parts: list[Element], order: ByteOrder, depth: int
) -> None:
    """Check the arrays in a cell array or struct of `count` elements."""
    fields = 1
    if struct:
        if [kind for kind, _ in parts[:2]] != [5, 1] or len(parts[0][1]) != 4:
            raise ValueError("damaged field names of a struct")
        width = int.from_bytes(parts[0][1], order)
        fields = len(parts[1][1]) // width if width else 0
        parts = parts[2:]
    if len(parts) != count * fields or (not fields and count > 1):
        raise ValueError(f"{len(parts)} arrays in {count} cells or structs")
    for kind, content in parts:
        _check_array(kind, content, order, depth + 1)


def _check_values(flags: int, count: int, parts: list[Element]) -> None:
    """Check the text or numbers of an array of `count` elements."""
    array_class = flags & 0xFF
    if array_class != _CHAR and array_class not in _NUMERIC_CLASSES:
        raise ValueError(f"array of class {array_class}, which no data set has")
    allowed = _TEXT if array_class == _CHAR else _NUMBERS
    expected = 2 if flags & _COMPLEX else 1
    if len(parts) != expected or any(kind not in allowed for kind, _ in parts):
        raise ValueError("array with content of another type")
    if any(len(content) < count for _, content in parts):
        raise ValueError(f"array of {count} elements with too few values")


def _elements(data: bytes, order: ByteOrder) -> Iterator[Element]:
    """Type and content of each element."""
    position = 0
    while position < len(data):
        kind, start, size, position = _tag(data, position, order)
        content = data[start : start + size]
        if len(content) < size:
            raise ValueError("ends within an element")
        yield kind, content


def _tag(data: bytes, position: int, order: ByteOrder) -> tuple[int, int, int, int]:
    """Type, start and size in bytes of the element at `position`, and where the next one begins."""
    first = int.from_bytes(data[position : position + 4], order)
    if first >> 16:  # a small element: size, type and content in eight bytes
        size = first >> 16
        if size > 4:
            raise ValueError(f"small element of {size} bytes")
        return first & 0xFFFF, position + 4, size, position + 8
    if position + 8 > len(data):
        raise ValueError("ends within an element")
    size = int.from_bytes(data[position + 4 : position + 8], order)
    padding = 0 if first == _COMPRESSED else -size % 8
    return first, position + 8, size, position + 8 + size + padding


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
        self.path = Path(path)
        self._variables = _load(self.path, simplify)

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


def _load(path: Path, simplify: bool) -> dict[str, Any]:
    # scipy.io takes longer to import than most commands to answer.
    from scipy.io import loadmat

    try:
        data = read_bytes(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of twice-named variables and the like
            if data[124:126] not in _HDF5_VERSIONS:
                check_tags(data)
            variables: dict[str, Any] = loadmat(BytesIO(data), simplify_cells=simplify)
            return variables
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror or error})") from error
    except NotImplementedError as error:
        raise DataError(
            path, "is a MATLAB 7.3 file (HDF5), which cannot be read; save it with -v7 in MATLAB"
        ) from error
    except Exception as error:
        # A damaged file makes scipy raise nearly anything: ValueError, TypeError, zlib.error,
        # KeyError, IndexError, MemoryError, its own MatReadError, …
        problem = str(error) or type(error).__name__
        raise DataError(path, f"is not a usable .mat file ({problem})") from error


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(
        w is None or f == w for f, w in zip(found, wanted, strict=True)
    )

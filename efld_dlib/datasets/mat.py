"""MATLAB's `.mat` files, as data sets come in them."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from ..files import read_bytes
from .mat_tags import check_tags

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

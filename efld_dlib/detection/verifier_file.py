"""The verifier's network as a file: whole numbers of 8 bit, and a scale for each unit."""

from __future__ import annotations

import io
import itertools
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, ModelFormatError
from ..files import atomic_path
from .gradients import FEATURES
from .verifier import OUTPUTS, Verifier

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

VERIFIER_FILE = "verifier.npz"

_LARGEST = 127
_LARGEST_FILE = 64 << 20


def save_verifier(verifier: Verifier, target: Path) -> None:
    """Write a network; what `load_verifier` reads differs from it by rounding."""
    arrays = {}
    for number, (weights, bias) in enumerate(zip(verifier.weights, verifier.biases, strict=True)):
        scale = np.maximum(np.abs(weights).max(axis=0) / _LARGEST, np.float32(1e-12))
        arrays[f"weights_{number}"] = np.rint(weights / scale).astype(np.int8)
        arrays[f"scale_{number}"] = scale.astype(np.float32)
        arrays[f"bias_{number}"] = bias.astype(np.float32)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_verifier(source: Path | Traversable) -> Verifier:
    """The network of a file.

    Raises
    ------
    ModelFormatError
        It is no such file, or a damaged one.
    DataError
        It cannot be read.
    """
    try:
        data = source.read_bytes()
    except OSError as error:
        raise DataError(str(source), f"cannot be read ({error.strerror})") from error
    weights, biases = [], []
    try:
        _check_sizes(data)
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            for number in range(len(arrays.files) // 3):
                scale = arrays[f"scale_{number}"]
                weights.append((arrays[f"weights_{number}"] * scale).astype(np.float32))
                biases.append(arrays[f"bias_{number}"].astype(np.float32))
    except Exception as error:
        # A damaged archive makes zipfile and NumPy raise nearly anything: BadZipFile, zlib.error,
        # NotImplementedError, EOFError, SyntaxError, MemoryError, …
        raise ModelFormatError(str(source), "is no verifier of a face detector") from error
    sizes = [each.shape for each in weights]
    widths = [FEATURES, *(each.shape[-1] for each in biases if each.ndim == 1)]
    fits = len(widths) > 1 and sizes == list(itertools.pairwise(widths)) and widths[-1] == OUTPUTS
    if not fits:
        raise ModelFormatError(str(source), f"is a verifier of other sizes: {sizes}")
    if not all(np.isfinite(each).all() for each in (*weights, *biases)):
        raise ModelFormatError(str(source), "holds a number that is not finite")
    return Verifier(tuple(weights), tuple(biases))


def _check_sizes(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LARGEST_FILE:
            raise ValueError("unpacks to more than any verifier is")

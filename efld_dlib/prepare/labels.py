"""Labels of images that lie elsewhere: a file of landmarks, found by the images' content.

`tools/label_consensus.py` makes and writes such a file. It holds no pixels: who has the data
set has the images, whatever their folder is called.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from ..files import read_input, sha256
from ..records import ImageRecord

UNIT = 1 / 8
"""Coordinates are kept in such parts of a pixel."""

LARGEST_FILE = 64 << 20
"""Bytes to which a file may unpack."""

MISSING = np.iinfo(np.int16).min
"""Stands for a coordinate of a landmark that is not annotated."""

DIGEST_BYTES = 8

Labels = dict[tuple[bytes, int], FloatArray | None]
"""Landmarks, shape (n, 2) in pixels, by the `digest` of the image and the number of the face in it;
None where the labellers disagree: the face is not to be used."""


def digest(path: Path) -> bytes:
    """What tells an image file from others: the first bytes of its SHA-256."""
    return bytes.fromhex(sha256(path))[:DIGEST_BYTES]


def read_labels(path: Path) -> Labels:
    """The labels of a file.

    Raises
    ------
    DataError
        It cannot be read, or is damaged.
    """
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        data = unpacker.decompress(read_input(path), LARGEST_FILE)
        if not unpacker.eof:
            raise ValueError("cut short")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            points = file["points"].transpose(2, 0, 1).astype(np.float64)
            digests, faces, used = file["digests"].tobytes(), file["faces"], file["used"]
        points[points == MISSING] = np.nan
        rows = iter(points * UNIT)
        keys = [
            (digests[DIGEST_BYTES * place : DIGEST_BYTES * (place + 1)], int(number))
            for place, number in enumerate(faces)
        ]
        return {key: next(rows) if use else None for key, use in zip(keys, used, strict=True)}
    except (lzma.LZMAError, ValueError, KeyError, OSError, EOFError, StopIteration) as error:
        raise DataError(path, "is not a file of labels, or damaged") from error


def relabelled(records: Sequence[ImageRecord], labels: Labels) -> list[ImageRecord]:
    """Records with the labels of a file, without the faces that it rejects.

    Parameters
    ----------
    records : sequence of ImageRecord
        Faces that are not in the file keep their landmarks.
    labels : Labels

    Raises
    ------
    DataError
        An image cannot be read.
    """
    changed = []
    for record in records:
        key = digest(record.path)
        faces = []
        for number, face in enumerate(record.faces):
            points = labels.get((key, number), face.points)
            if points is not None:
                faces.append(replace(face, points=points))
        if faces:
            changed.append(replace(record, faces=tuple(faces)))
    return changed

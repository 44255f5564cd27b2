"""Labels of images that lie elsewhere: a file of landmarks, found by the images' content.

`tools/label_consensus.py` writes such a file. It holds no pixels: who has the data set has the
images, whatever their folder is called.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from ..files import atomic_path, read_input, sha256
from ..records import FaceAnnotation, ImageRecord

UNIT = 1 / 8
"""Coordinates are kept in such parts of a pixel."""

LARGEST_FILE = 64 << 20
"""Bytes to which a file may unpack."""

_MISSING = np.iinfo(np.int16).min
_DIGEST = 8


@dataclass(frozen=True)
class Labels:
    """Landmarks by the content of the image and the number of the face in it.

    Parameters
    ----------
    points : dict of (bytes, int) to array of shape (n, 2)
        In pixels; None instead of an array where the labellers disagree: the face is not to be
        used.
    source : str
        Which data, labellers and licences they come from.
    """

    points: dict[tuple[bytes, int], FloatArray | None]
    source: str


def digest(path: Path) -> bytes:
    """What tells an image file from others: the first bytes of its SHA-256."""
    return bytes.fromhex(sha256(path))[:_DIGEST]


def write_labels(labels: Labels, path: Path) -> int:
    """Write a file of labels, and tell how many bytes it has."""
    digests = b"".join(digest for digest, _ in labels.points)
    faces = np.array([number for _, number in labels.points], np.uint16)
    used = np.array([points is not None for points in labels.points.values()])
    kept = [points for points in labels.points.values() if points is not None]
    whole = np.nan_to_num(np.rint(np.array(kept) / UNIT), nan=_MISSING).astype("<i2")
    buffer = io.BytesIO()
    np.savez(
        buffer,
        source=np.frombuffer(labels.source.encode(), np.uint8),
        digests=np.frombuffer(digests, np.uint8),
        faces=faces,
        used=used,
        # What changes little from face to face stands side by side.
        points=np.ascontiguousarray(whole.transpose(1, 2, 0)),
    )
    data = lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


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
            source = file["source"].tobytes().decode()
        points[points == _MISSING] = np.nan
        rows = iter(points * UNIT)
        keys = [
            (digests[_DIGEST * place : _DIGEST * (place + 1)], int(number))
            for place, number in enumerate(faces)
        ]
        known = {key: next(rows) if use else None for key, use in zip(keys, used, strict=True)}
    except (lzma.LZMAError, ValueError, KeyError, OSError, EOFError, StopIteration) as error:
        raise DataError(path, "is not a file of labels, or damaged") from error
    return Labels(known, source)


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
        faces = [_labelled(face, key, number, labels) for number, face in enumerate(record.faces)]
        kept = tuple(face for face in faces if face is not None)
        if kept:
            changed.append(replace(record, faces=kept))
    return changed


def _labelled(
    face: FaceAnnotation, key: bytes, number: int, labels: Labels
) -> FaceAnnotation | None:
    if (key, number) not in labels.points:
        return face
    points = labels.points[key, number]
    return None if points is None else replace(face, points=points)

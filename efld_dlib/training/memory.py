"""How much memory a training run takes, estimated beforehand."""

from __future__ import annotations

import os

from ..images import read_image, to_gray
from ..records import ImageRecord
from .options import TrainingOptions

BASE_BYTES = 120 * 2**20
"""Python, dlib and OpenCV before any data."""

SHAPES_PER_SAMPLE = 5
"""dlib keeps, of every sample, its target, current and difference shapes and which points are
given, each with two float32 a landmark, and works on one more."""


def training_memory(records: list[ImageRecord], faces: int, options: TrainingOptions) -> int:
    """Bytes that dlib's trainer will need, within about a fifth.

    Parameters
    ----------
    records : list of ImageRecord
        What is trained on. The size of the first picture stands for all of them, as is true of
        the crops that `prepare` makes.
    faces : int
        Faces, copies counted.
    options : TrainingOptions

    Raises
    ------
    DataError
        The first picture cannot be read.
    """
    landmarks = len(records[0].faces[0].points)
    # dlib loads every picture as 8-bit gray.
    pictures = len(records) * _pixels(records[0])
    sample = SHAPES_PER_SAMPLE * 8 * landmarks + 2 * options.feature_pool_size + 200
    return BASE_BYTES + pictures + faces * options.oversampling_amount * sample


def _pixels(record: ImageRecord) -> int:
    return to_gray(read_image(record.path)).size


def available_memory() -> int | None:
    """Bytes of memory that are free for a new process; None where that cannot be told."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None

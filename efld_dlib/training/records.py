"""The faces of an XML file, checked before anything is done with them that takes hours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..datasets.imglab import read_imglab
from ..errors import DataError
from ..files import is_file
from ..landmarks import part_name
from ..records import ImageRecord


def read_records(xml: Path) -> list[ImageRecord]:
    """The pictures of `xml` that have faces, all of which are there.

    Raises
    ------
    DataError
        The XML is wrong, has no face, or names a picture that is missing.
    """
    records = [record for record in read_imglab(xml) if record.faces]
    if not records:
        raise DataError(xml, "has no face in it")
    for record in records:
        if not is_file(record.path):
            raise DataError(xml, f"names a picture that is not there: {record.path}")
    return records


def read_training_records(xml: Path) -> list[ImageRecord]:
    """The same, in which dlib's trainer will find what it needs.

    Raises
    ------
    DataError
        As in `read_records`; dlib cannot open a picture's name, a face has no landmark, or a
        landmark is in no face.
    """
    records = read_records(xml)
    for record in records:
        if _dlib_cannot_open(record.photograph):
            raise DataError(
                xml,
                f"names a picture that dlib cannot open, for the characters in it: "
                f"{record.photograph} (rename it, or let 'efld-dlib prepare' make crops)",
            )
        if not all(face.given.any() for face in record.faces):
            raise DataError(xml, f"has a face without landmarks in {record.path}")
    given = np.any([face.given for record in records for face in record.faces], axis=0)
    if not given.all():
        # dlib would train a predictor of fewer landmarks, and count them otherwise.
        names = ", ".join(part_name(int(index)) for index in np.flatnonzero(~given))
        raise DataError(xml, f"has no face with landmark {names}")
    return records


def _dlib_cannot_open(name: str) -> bool:
    """Whether a name needs an XML entity, which dlib's parser does not decode in attributes."""
    return any(character in name for character in "&<>") or ("'" in name and '"' in name)

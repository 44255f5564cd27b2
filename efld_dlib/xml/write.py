"""Writing dlib's XML of annotated images, as its trainer and its `imglab` tool read it.

Coordinates are whole pixels; picture paths are relative to the XML's folder; parts are named as
their scheme says (``00`` … ``67``, because dlib sorts names as strings); a landmark that is not
annotated is left out. A face's copies are written as repeated boxes, since dlib's trainer knows no
other sample weight.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ..boxes import Box
from ..errors import DataError, Problems
from ..files import atomic_text, write_text
from ..landmarks import FACE_68, Scheme
from ..records import FaceAnnotation, ImageRecord

STYLESHEET_NAME = "image_metadata_stylesheet.xsl"
"""Shows the annotated pictures when the XML is opened in a browser next to them."""

# Control characters, halves of surrogate pairs and non-characters, which XML cannot hold; line
# breaks and tabs, which it can, do not survive in an attribute.
_NOT_IN_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# Text may break its lines.
_NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_xml(
    target: str | Path,
    records: Iterable[ImageRecord],
    name: str = "efld_dlib",
    comment: str = "",
    problems: Problems | None = None,
) -> int:
    """Write annotated pictures as dlib XML, with the stylesheet beside it.

    Parameters
    ----------
    target : path
        The XML file. It is written as the records arrive, so they need not fit in memory, and
        takes its place only when it is whole.
    records : iterable of ImageRecord
        A face without a box gets the tight box of its landmarks. Coordinates are rounded.
    name, comment : str
        Head lines of the document. To the comment the scheme is added, unless it is the 68 points.
    problems : Problems, optional
        Takes the pictures that cannot be written; without it the first one raises.

    Returns
    -------
    int
        Number of boxes written, copies counted.

    Raises
    ------
    DataError
        A face has neither box nor landmarks, or is of another scheme than the first, or a path has
        characters that XML cannot hold, in a run without `problems`.
    """
    problems = problems if problems is not None else Problems(strict=True)
    scheme, records = _first_scheme(iter(records))
    if scheme != FACE_68:
        comment = "; ".join(filter(None, (comment, scheme_comment(scheme))))
    with writing(target, name, comment) as xml:
        for record in records:
            with problems.skipping():
                file = relative_name(record.path.resolve(), xml.folder)
                if any(face.scheme != scheme for face in record.faces):
                    raise DataError(record.path, "has landmarks of another scheme than the first")
                boxes = [[_face_element(f, record.path)] * f.copies for f in record.faces]
                xml.image({"file": file}, list(chain.from_iterable(boxes)))
    return xml.boxes


def _first_scheme(records: Iterator[ImageRecord]) -> tuple[Scheme, Iterable[ImageRecord]]:
    """The scheme of the first face, and all the records."""
    passed = []
    for record in records:
        passed.append(record)
        if record.faces:
            return record.faces[0].scheme, chain(passed, records)
    return FACE_68, passed


@dataclass
class XmlFile:
    """An XML file under way or written, and how many images and boxes it holds."""

    target: Path
    file: TextIO
    folder: Path
    images: int = 0
    boxes: int = 0

    def __str__(self) -> str:
        return f"{self.target}: {self.images} pictures, {self.boxes} boxes"

    def image(self, named: Mapping[str, str], boxes: Sequence[str]) -> None:
        """Add an ``<image>`` with these attributes and elements."""
        self.file.write(f"  <image{attributes(named)}>\n{''.join(boxes)}  </image>\n")
        self.images += 1
        self.boxes += len(boxes)


@contextmanager
def writing(target: str | Path, name: str, comment: str) -> Iterator[XmlFile]:
    """An XML file that takes its place when it is whole, with the stylesheet beside it.

    What XML cannot hold becomes a question mark in its head lines.
    """
    target = Path(target)
    title, remark = (escape(_NOT_IN_TEXT.sub("?", text)) for text in (name, comment))
    with atomic_text(target) as file:
        file.write(
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            f"<?xml-stylesheet type='text/xsl' href='{STYLESHEET_NAME}'?>\n"
            f"<dataset>\n<name>{title}</name>\n<comment>{remark}</comment>\n<images>\n"
        )
        yield XmlFile(target, file, target.parent.resolve())
        file.write("</images>\n</dataset>\n")
    stylesheet = resources.files("efld_dlib") / "data" / STYLESHEET_NAME
    write_text(target.parent / STYLESHEET_NAME, stylesheet.read_text("utf-8"))


def attributes(values: Mapping[str, str]) -> str:
    """Attributes as they stand in a tag."""
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def relative_name(path: Path, folder: Path) -> str:
    """How an XML in `folder` names the image at `path`.

    Raises
    ------
    DataError
        The name has characters that XML cannot hold.
    """
    try:
        name = Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        name = path.as_posix()
    if _NOT_IN_NAME.search(name):
        raise DataError(ascii(str(path)), "has a name that cannot be written to XML")
    return name


def _face_element(face: FaceAnnotation, path: Path) -> str:
    if face.box is None and not face.given.any():
        raise DataError(path, "has a face with neither a box nor a landmark")
    box = face.box if face.box is not None else Box.around(face.points)
    left, top, width, height = (round(value) for value in box)
    lines = [f"    <box top='{top}' left='{left}' width='{width}' height='{height}'>\n"]
    for index in map(int, np.flatnonzero(face.given)):
        x, y = (round(value) for value in face.points[index])
        lines.append(f"      <part name='{face.scheme.points[index]}' x='{x}' y='{y}'/>\n")
    lines.append("    </box>\n")
    return "".join(lines)


def scheme_comment(scheme: Scheme) -> str:
    """The comment in an XML's head that says of which scheme its parts are."""
    stated = scheme.state()
    text = stated if isinstance(stated, str) else json.dumps(stated, ensure_ascii=False)
    return f"landmarks of scheme {text}"

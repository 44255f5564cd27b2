"""dlib's XML of annotated pictures, as its trainer and its `imglab` tool read and write it.

Coordinates are whole pixels; picture paths are relative to the XML's folder; parts are named
``00`` … ``67`` because dlib sorts names as strings; a landmark that is not annotated is left out.
A face's copies are written as repeated boxes, since dlib's trainer knows no other sample weight.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from lxml import etree

from ..boxes import Box, FloatArray
from ..datasets.base import FolderCount
from ..errors import DataError, Problems
from ..files import atomic_path, is_file, require_regular, write_text
from ..landmarks import SCHEMES, part_name
from ..records import FaceAnnotation, ImageRecord
from .stream import named_scheme, require_scheme

STYLESHEET_NAME = "image_metadata_stylesheet.xsl"

# Shows the annotated pictures when the XML is opened in a browser next to them.
STYLESHEET = """<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" version="4.0"/>
<xsl:template match="/dataset">
<html><head><title><xsl:value-of select="name"/></title><style>
figure { position: relative; display: inline-block; margin: 8px; }
.box { position: absolute; border: 1px solid #2a6; }
.part { position: absolute; width: 3px; height: 3px; margin: -1px; background: #e33; }
figcaption { font: 12px sans-serif; }
</style></head><body>
<h1><xsl:value-of select="name"/></h1><p><xsl:value-of select="comment"/></p>
<xsl:for-each select="images/image"><figure><img src="{@file}"/>
<xsl:for-each select="box">
<div class="box" style="left:{@left}px;top:{@top}px;width:{@width}px;height:{@height}px"/>
<xsl:for-each select="part"><div class="part" style="left:{@x}px;top:{@y}px"/></xsl:for-each>
</xsl:for-each><figcaption><xsl:value-of select="@file"/></figcaption></figure></xsl:for-each>
</body></html>
</xsl:template>
</xsl:stylesheet>
"""


# Control characters, halves of surrogate pairs and non-characters, which XML cannot hold; line
# breaks and tabs, which it can, do not survive in an attribute.
NOT_IN_XML = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# Text may break its lines.
_NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# What dlib takes for a coordinate. The length keeps it within a C long everywhere.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")

# libxml2 counts the lines of elements no further than this; beyond it, errors name the picture.
_LAST_LINE = 65535


def write_imglab(
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
        Head lines of the document.
    problems : Problems, optional
        Takes the pictures that cannot be written; without it the first one raises.

    Returns
    -------
    int
        Number of boxes written, copies counted.

    Raises
    ------
    DataError
        A face has neither box nor landmarks, or a path has characters that XML cannot hold, in a
        run without `problems`.
    """
    target = Path(target)
    problems = problems if problems is not None else Problems(strict=True)
    boxes = 0
    with atomic_path(target) as temporary:
        folder = target.parent.resolve()
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(head(name, comment))
            for record in records:
                with problems.skipping():
                    picture = _path_attribute(record.path, folder)
                    faces = [_face_element(f, record.path) * f.copies for f in record.faces]
                    file.write(f"  <image file={picture}>\n{''.join(faces)}  </image>\n")
                    boxes += sum(face.copies for face in record.faces)
            file.write("</images>\n</dataset>\n")
    write_text(target.parent / STYLESHEET_NAME, STYLESHEET)
    return boxes


def head(name: str, comment: str) -> str:
    """A document down to its first picture; what XML cannot hold becomes a question mark."""
    title, remark = (escape(_NOT_IN_TEXT.sub("?", text)) for text in (name, comment))
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f"<?xml-stylesheet type='text/xsl' href='{STYLESHEET_NAME}'?>\n"
        f"<dataset>\n<name>{title}</name>\n<comment>{remark}</comment>\n<images>\n"
    )


def _path_attribute(path: Path, folder: Path) -> str:
    try:
        relative = os.path.relpath(path.resolve(), folder)
    except ValueError:  # another drive on Windows
        relative = str(path.resolve())
    relative = Path(relative).as_posix()
    if NOT_IN_XML.search(relative):
        raise DataError(ascii(str(path)), "has a name that cannot be written to XML")
    return quoteattr(relative)


def _face_element(face: FaceAnnotation, path: Path) -> str:
    if face.box is None and not face.given.any():
        raise DataError(path, "has a face with neither a box nor a landmark")
    box = face.box if face.box is not None else Box.around(face.points)
    left, top, width, height = (round(value) for value in box)
    lines = [f"    <box top='{top}' left='{left}' width='{width}' height='{height}'>\n"]
    for index in map(int, np.flatnonzero(face.given)):
        x, y = (round(value) for value in face.points[index])
        lines.append(f"      <part name='{part_name(index)}' x='{x}' y='{y}'/>\n")
    lines.append("    </box>\n")
    return "".join(lines)


def read_imglab(
    source: str | Path, scheme: str = "68", problems: Problems | None = None
) -> Iterator[ImageRecord]:
    """Annotated pictures of a dlib XML file, one at a time.

    Repeated equal boxes of a picture come back as one face with that many copies. Boxes marked
    ``ignore`` are left out, as dlib's trainer does.

    Parameters
    ----------
    source : path
        The XML. It is untrusted: entities are refused and nothing outside it is opened.
    scheme : str
        Which landmarks the parts name.
    problems : Problems, optional
        Takes the pictures whose entry is wrong; without it the first one raises.

    Yields
    ------
    ImageRecord
        Its path is the XML's folder joined with the entry's; whether it exists is not checked.

    Raises
    ------
    DataError
        The file is missing, is not such XML, or has a wrong entry; names the line.
    OptionError
        There is no such scheme.
    """
    source = Path(source)
    require_scheme(scheme)
    problems = problems if problems is not None else Problems(strict=True)
    try:
        require_regular(source)
        with source.open("rb") as file:
            for element in _image_elements(file, source):
                with problems.skipping():
                    yield _placed_record(element, source, scheme)
                element.clear()
                # Drop the elements already read, or the parent would keep all of them in memory.
                parent = element.getparent()
                while parent is not None and element.getprevious() is not None:
                    del parent[0]
    except OSError as error:
        raise DataError(source, f"cannot be read ({error.strerror})") from error
    except etree.XMLSyntaxError as error:
        line = error.lineno or None
        raise DataError(source, f"is not well-formed XML ({error.msg})", line) from error


def _image_elements(file: BufferedReader, source: Path) -> Iterator[etree._Element]:
    latin = b"ISO-8859-1" in file.peek(100)[:100].upper()
    events = etree.iterparse(
        file,
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    root = None
    for event, element in events:
        if root is None:
            root = element
            if element.getroottree().docinfo.internalDTD is not None:
                raise DataError(source, "has a DOCTYPE, which dlib's XML never has", 1)
            if element.tag != "dataset":
                raise DataError(
                    source, f"expected <dataset>, found <{element.tag}>", _line(element)
                )
        if event == "end" and element.tag == "image":
            if latin:
                _restore_name(element)
            yield element


def _placed_record(element: etree._Element, source: Path, scheme: str) -> ImageRecord:
    try:
        return _record(element, source, scheme)
    except DataError as error:
        if error.line is not None:
            raise
        raise DataError(source, f"<image file={element.get('file')!r}>: {error.problem}") from None


def _record(element: etree._Element, source: Path, scheme: str) -> ImageRecord:
    name = element.get("file")
    if not name:
        raise DataError(source, "<image> has no file", _line(element))
    faces: list[FaceAnnotation] = []
    seen: dict[bytes, int] = {}
    for box in element.iterchildren("box"):
        if box.get("ignore", "").lower() in ("1", "true"):
            continue
        try:
            key = etree.tostring(box, method="c14n", with_tail=False)
        except etree.C14NError as error:
            raise DataError(source, f"<box> has no usual form ({error})", _line(box)) from error
        if key in seen:
            face = faces[seen[key]]
            faces[seen[key]] = FaceAnnotation(
                face.points, face.box, face.scheme, copies=face.copies + 1
            )
        else:
            seen[key] = len(faces)
            faces.append(_face(box, source, scheme))
    return ImageRecord(source.parent / name, tuple(faces), photograph=name)


def _restore_name(element: etree._Element) -> None:
    """Dlib declares ISO-8859-1 whatever it writes, and takes a name's bytes as they stand."""
    try:
        element.set("file", element.get("file", "").encode("latin-1").decode("utf-8"))
    except ValueError:
        return  # the name is Latin-1 indeed, or lxml takes no such signs


def _face(element: etree._Element, source: Path, scheme: str) -> FaceAnnotation:
    left, top, width, height = (
        _whole_number(element, key, source) for key in ("left", "top", "width", "height")
    )
    if width < 1 or height < 1:
        raise DataError(source, f"box of {width} x {height} pixels", _line(element))
    size = SCHEMES[scheme].size
    index = {part_name(i): i for i in range(size)}
    points: FloatArray = np.full((size, 2), np.nan)
    for part in element.iterchildren("part"):
        name = part.get("name")
        if name not in index:
            raise DataError(
                source,
                f"unknown part {name!r}; {scheme} points are named 00 to {part_name(size - 1)}",
                _line(part),
            )
        if np.isfinite(points[index[name]]).all():
            raise DataError(source, f"part {name!r} stands twice in one box", _line(part))
        points[index[name]] = [_whole_number(part, key, source) for key in ("x", "y")]
    return FaceAnnotation(points, Box(left, top, width, height), scheme)


def _whole_number(element: etree._Element, key: str, source: Path) -> int:
    value = element.get(key)
    if value is not None and _WHOLE_NUMBER.fullmatch(value):
        return int(value)
    found = "is missing" if value is None else f"is {value[:40]!r}, not a whole number of pixels"
    raise DataError(source, f"{key} of <{element.tag}> {found}", _line(element))


def _line(element: etree._Element) -> int | None:
    line = cast("int | None", element.sourceline)
    return line if line is not None and line < _LAST_LINE else None


def scheme_comment(scheme: str) -> str:
    """The comment in an XML's head that names the scheme of its parts."""
    return f"landmarks of scheme {scheme}"


def read_imglab_checked(
    source: str | Path,
    scheme: str = "68",
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
) -> Iterator[ImageRecord]:
    """Annotated pictures of a dlib XML file, one at a time.

    Parameters
    ----------
    source : path
        The XML.
    scheme : str
        Which landmarks the parts name. An XML that `efld-dlib xml` wrote says itself which they
        are, and must say the same.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets one entry, when all is read; copies of a face count as one.

    Yields
    ------
    ImageRecord

    Raises
    ------
    DataError
        As `read_imglab`; and for a picture that is not there, or another scheme.
    """
    source = Path(source)
    problems = problems if problems is not None else Problems(strict=True)
    stated = named_scheme(source)
    if stated not in (None, scheme):
        raise DataError(source, f"has landmarks of scheme {stated}, not {scheme}")
    found = 0
    for record in read_imglab(source, scheme, problems):
        with problems.skipping():
            if not is_file(record.path):
                raise DataError(source, f"names a picture that is not there: {record.path}")
            found += len(record.faces)
            yield record
    if counts is not None:
        counts.append(FolderCount(source.name, found, None))

"""Reading dlib's XML of annotated images: the elements with their lines, and the faces in them.

There is one reader, `XmlStream`, which takes one image after the other. It uses expat, which counts
lines without limit, opens nothing outside the file and can be stopped at a declaration of entities.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, NoReturn
from xml.parsers import expat

import numpy as np

from ..boxes import Box, FloatArray
from ..datasets.base import FolderCount
from ..errors import DataError, OptionError, Problems
from ..files import is_file, require_regular
from ..landmarks import FACE_68, Scheme, read_scheme
from ..records import FaceAnnotation, ImageRecord

Report = Callable[[str, int, str], None]
"""Takes what is odd in a file: a kind of `xml.check.KINDS`, the line, and what is wrong."""

# dlib's XML is five levels deep, and its longest tag or text is a few hundred characters long; the
# limits are against files made to exhaust memory.
_MAX_DEPTH = 100
_MAX_LENGTH = 10_000_000
_CHUNK = 1 << 16

# Where dlib looks for an element; elsewhere it passes over it, or mixes it up with the next one.
_PARENTS = {"images": "dataset", "image": "images", "box": "image", "part": "box"}

_ESCAPE = re.compile(rb"""=\s*(?:"[^"]*&[^"]*"|'[^']*&[^']*')""")
_SCHEME = re.compile(r"\bscheme (\d+|\{.*)", re.DOTALL)
_LATIN = ("ISO-8859-1", "LATIN1", "LATIN-1")

# What dlib takes for a coordinate, and is within a C long everywhere. It also takes 0x1f; other
# readers do not.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")

BOX_SIDES = ("left", "top", "width", "height")

Places = dict[str, tuple[float, float]]
"""x and y of parts by their names, in pixels; NaN for a part whose place is wrong."""


@dataclass(slots=True)
class Element:
    """One element of the file.

    Parameters
    ----------
    tag : str
    attributes : dict of str to str
    line : int
        Of its start, counted from 1.
    children : list of Element
    text : str
        Text directly in it, stripped.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def ignored(self) -> bool:
        """Whether a ``<box>`` asks to be left out, as dlib's trainer does."""
        return self.attributes.get("ignore", "").lower() in ("1", "true")

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for elements that say the same, wherever they stand."""
        inner = tuple(child.key for child in self.children)
        return self.tag, self.text, frozenset(self.attributes.items()), inner

    def each(self, tag: str) -> Iterator[Element]:
        """Children of one kind."""
        return (child for child in self.children if child.tag == tag)

    def pixels(self, keys: Collection[str], report: Report) -> list[float]:
        """Attributes that must be whole numbers; NaN for those that `report` is told of."""
        numbers: list[float] = []
        for key in keys:
            value = self.attributes.get(key)
            if value is not None and _WHOLE_NUMBER.fullmatch(value):
                numbers.append(int(value))
                continue
            numbers.append(np.nan)
            name = f"part {self.attributes.get('name', '?')[:40]!r}"
            what = name if self.tag == "part" else self.tag
            wrong = f"is {(value or '')[:40]!r}, not a whole number of pixels"
            found = "is missing" if value is None else wrong
            report("attribute", self.line, f"{key} of {what} {found}")
        return numbers


def _chunks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Pieces that end with a line, or are a line with an ampersand, and the number of the first."""
    line = 1
    while chunk := file.read(_CHUNK) + file.readline(_CHUNK):
        for piece in chunk.splitlines(keepends=True) if b"&" in chunk else [chunk]:
            yield line, piece
            line += piece.count(b"\n")


class _Stop(Exception):  # noqa: N818
    """The rest of the file is left unread."""


class XmlStream:
    """One pass over a file.

    Parameters
    ----------
    source : path
        The XML. It is untrusted.
    report : callable, optional
        Takes what is odd in the file as a whole; by default it is raised.
    tolerated : collection of str
        Kinds of oddities that are passed over.

    Attributes
    ----------
    name, comment : str
        The document's head lines, once they were passed.
    root_line : int
    stopped : bool
        Whether the rest of the file was left unread for what was reported.
    """

    def __init__(
        self, source: str | Path, report: Report | None = None, tolerated: Collection[str] = ()
    ) -> None:
        self.source = Path(source)
        self.name = self.comment = ""
        self.root_line = 1
        self.stopped = False
        self._report = report or self.refuse
        self._tolerated = tolerated
        self._latin = False
        self._open: list[Element] = []
        self._done: list[Element] = []

    def images(self) -> Iterator[Element]:
        """The ``<image>`` elements.

        Raises
        ------
        DataError
            The file cannot be read, or is not well-formed XML; names the line.
        """
        try:
            require_regular(self.source)
            with self.source.open("rb") as file:
                self._begin(file.peek(3))
                for line, chunk in _chunks(file):
                    if b"&" in chunk and _ESCAPE.search(chunk):
                        problem = "an attribute has an &…;, which dlib does not decode"
                        self._note("escape", problem, line)
                    try:
                        self._parser.Parse(chunk)
                    finally:  # what comes before an error is kept
                        yield from self._done
                        self._done.clear()
                    # What expat has not made out yet it keeps, however long it gets.
                    if file.tell() - self._parser.CurrentByteIndex > _MAX_LENGTH:
                        raise DataError(self.source, "has a tag or a comment too long", line)
                self._parser.Parse(b"", True)
        except _Stop:
            self.stopped = True
        except OSError as error:
            raise DataError(self.source, f"cannot be read ({error.strerror})") from error
        except (LookupError, ValueError) as error:
            # What expat does not know itself it asks Python's codecs for.
            what = f"has an encoding that cannot be read ({error})"
            raise DataError(self.source, what, 1) from error
        except expat.ExpatError as error:
            what = f"is not well-formed XML ({expat.ErrorString(error.code)})"
            raise DataError(self.source, what, error.lineno) from error

    def refuse(self, kind: str, line: int, problem: str) -> NoReturn:
        """A report that raises."""
        raise DataError(self.source, problem, line)

    def file_name(self, image: Element, exactly: bool = True) -> str | None:
        """Name of the picture as dlib asks the system for it: by the bytes in the file.

        dlib declares ISO-8859-1 whatever it writes. Unless `exactly`, a name that is not UTF-8
        is taken for Latin-1 indeed.
        """
        name = image.attributes.get("file")
        if name is None or not self._latin:
            return name
        if exactly:
            return os.fsdecode(name.encode("latin-1", "replace"))
        try:
            return name.encode("latin-1").decode("utf-8")
        except ValueError:
            return name

    def _note(self, kind: str, problem: str, line: int | None = None) -> None:
        if kind not in self._tolerated:
            self._report(kind, line or self._parser.CurrentLineNumber, problem)

    def _begin(self, head: bytes) -> None:
        marked = head.startswith((b"\xff\xfe", b"\xfe\xff"))
        # The mark tells the encoding of a file whose first line still names the one it had before.
        self._parser = expat.ParserCreate("utf-16" if marked else None)
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._entity
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        if marked or head.startswith((b"<\0", b"\0<")):
            self._note("encoding", "is UTF-16, which dlib does not read", 1)
        elif head.startswith(b"\xef\xbb\xbf"):
            self._note("encoding", "starts with a byte order mark, at which dlib stops", 1)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self._latin = (encoding or "").upper() in _LATIN

    def _doctype(self, *name_and_place: object) -> None:
        self._note("doctype", "has a DOCTYPE, which dlib's XML never has")

    def _entity(self, name: str, *rest: object) -> None:
        self._note("doctype", f"declares the entity '{name}', which dlib leaves as it is; stopped")
        raise _Stop

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, self._parser.CurrentLineNumber)
        if not self._open:
            self.root_line = element.line
            if tag != "dataset":
                self._note("root", f"expected <dataset>, found <{tag}>")
                raise _Stop
        elif tag in _PARENTS and self._open[-1].tag != _PARENTS[tag]:
            parent = self._open[-1].tag
            self._note("misplaced", f"<{tag}> in <{parent}>, where dlib does not look for it")
        if len(self._open) >= _MAX_DEPTH:
            raise DataError(self.source, "elements are nested too deep", element.line)
        self._open.append(element)

    def _end(self, tag: str) -> None:
        element = self._open.pop()
        element.text = element.text.strip()
        # Nothing hangs on <dataset> and <images>, which would keep all that was read in memory.
        if tag == "image" and (self._open[-1].tag == "images" or "misplaced" in self._tolerated):
            self._done.append(element)
        elif len(self._open) > 2:
            self._open[-1].children.append(element)
        elif len(self._open) == 1 and tag in ("name", "comment"):
            setattr(self, tag, element.text)

    def _text(self, text: str) -> None:
        element = self._open[-1]
        if element.text or not text.isspace():
            element.text += text
            if len(element.text) > _MAX_LENGTH:
                what = f"<{element.tag}> has a text too long"
                raise DataError(self.source, what, element.line)


def stated_scheme(source: str | Path) -> Scheme | None:
    """The scheme that an XML's comment names, as `write_xml` writes it; None if it names none.

    Raises
    ------
    DataError
        The comment describes no scheme.
    """
    stream = XmlStream(source, lambda kind, line, problem: None)
    try:
        next(stream.images(), None)
    except DataError:
        return None  # whoever reads the file to its end will say what is wrong with it
    match = _SCHEME.search(stream.comment)
    if match is None:
        return None
    try:
        number = match[1].isdigit()
        return read_scheme(match[1] if number else json.JSONDecoder().raw_decode(match[1])[0])
    except (ValueError, RecursionError, OptionError) as error:
        raise DataError(source, f"names a scheme in its comment that is none ({error})") from error


def xml_scheme(source: str | Path) -> Scheme:
    """The scheme of the parts in an XML: that of its comment, or else what their names tell.

    Numbers up to 67 are the 68 points, unless they begin at 0 or 1 and end before 67 without a gap:
    then they may be anything. Such points, and those of other names, are a scheme of their own, in
    ascending order. A file without a part has the 68.

    Raises
    ------
    DataError
        The comment describes no scheme, or a part has a name that dlib cannot read.
    """
    stated = stated_scheme(source)
    if stated is not None:
        return stated
    names: set[str] = set()
    stream = XmlStream(source, lambda kind, line, problem: None)
    try:
        for image in stream.images():
            for box in image.each("box"):
                if not box.ignored:
                    here = {part.attributes.get("name", "") for part in box.each("part")}
                    if here == set(FACE_68.points):
                        return FACE_68
                    names |= here
    except DataError:
        pass  # as above
    names.discard("")
    places = [FACE_68.index(name) for name in names]
    if not names or (None not in places and not _counted(names)):
        return FACE_68
    try:
        own = read_scheme({"points": sorted(names)})
    except OptionError as error:
        raise DataError(source, str(error)) from error
    # As strings, 10 would come before 9.
    return read_scheme({"points": sorted(names, key=int)}) if own.numbered else own


def _counted(names: Collection[str]) -> bool:
    """Whether names count from 0 or 1 to less than 67."""
    found = sorted(map(int, names))
    return found[0] in (0, 1) and found[-1] < 67 and found == list(range(found[0], found[-1] + 1))


def read_xml(
    source: str | Path, scheme: Scheme | str | None = None, problems: Problems | None = None
) -> Iterator[ImageRecord]:
    """Annotated pictures of a dlib XML file, one at a time.

    Repeated equal boxes of a picture come back as one face with that many copies. Boxes marked
    ``ignore`` are left out, as dlib's trainer does.

    Parameters
    ----------
    source : path
        The XML. It is untrusted: entities are refused and nothing outside it is opened.
    scheme : Scheme or str, optional
        Which landmarks the parts name; by default what the file says (`xml_scheme`).
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
    if scheme is None:
        scheme = xml_scheme(source)
    elif isinstance(scheme, str):
        scheme = read_scheme(scheme)
    problems = problems if problems is not None else Problems(strict=True)
    stream = XmlStream(source, tolerated=("encoding", "escape", "misplaced"))
    for image in stream.images():
        with problems.skipping():
            yield _record(stream, image, scheme)


def _record(stream: XmlStream, image: Element, scheme: Scheme) -> ImageRecord:
    name = stream.file_name(image, exactly=False)
    if not name:
        stream.refuse("path", image.line, "<image> has no file")
    faces: dict[object, FaceAnnotation] = {}
    boxes = [box for box in image.each("box") if not box.ignored]
    for box in boxes:
        key = box.key if len(boxes) > 1 else None
        if key in faces:
            faces[key] = replace(faces[key], copies=faces[key].copies + 1)
        else:
            faces[key] = _face(stream, box, scheme)
    return ImageRecord(stream.source.parent / name, tuple(faces.values()), photograph=name)


def _face(stream: XmlStream, box: Element, scheme: Scheme) -> FaceAnnotation:
    left, top, width, height = box.pixels(BOX_SIDES, stream.refuse)
    if width < 1 or height < 1:
        stream.refuse("box-size", box.line, f"box of {width} x {height} pixels")
    places: Places = {}
    seen = set()
    for line, name, place in parts(box, stream.refuse):
        index = scheme.index(name)
        if index is None:
            stream.refuse("part-name", line, f"unknown part {name!r}; {scheme.range}")
        if index in seen:
            stream.refuse("part-twice", line, f"part {name!r} stands twice in the box")
        seen.add(index)
        places[name] = place
    return FaceAnnotation(points_of(places, scheme), Box(left, top, width, height), scheme)


def parts(box: Element, report: Report) -> Iterator[tuple[int, str, tuple[float, float]]]:
    """Line, name and place of each part of a ``<box>``; NaN where `report` was told of it."""
    seen = set()
    for part in box.each("part"):
        name = part.attributes.get("name")
        x, y = part.pixels(("x", "y"), report)
        if name is None:
            report("attribute", part.line, "a part has no name")
        elif name in seen:
            report("part-twice", part.line, f"part {name!r} stands twice in the box")
        else:
            seen.add(name)
            yield part.line, name, (x, y)


def points_of(places: Places, scheme: Scheme) -> FloatArray:
    """Places of named parts as an array, shape (n, 2); NaN = not annotated."""
    points = np.full((scheme.size, 2), np.nan)
    for name, place in places.items():
        if (index := scheme.index(name)) is not None:
            points[index] = place
    return points


def read_xml_checked(
    source: str | Path,
    scheme: Scheme | None = None,
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
) -> Iterator[ImageRecord]:
    """Annotated pictures of a dlib XML file, one at a time.

    Parameters
    ----------
    source : path
        The XML.
    scheme : Scheme, optional
        Which landmarks the parts name; by default what the file says. An XML that the toolkit wrote
        says itself which they are, and must say the same.
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
        As `read_xml`; and for a picture that is not there, or another scheme.
    """
    source = Path(source)
    problems = problems if problems is not None else Problems(strict=True)
    if scheme is not None and (stated := stated_scheme(source)) not in (None, scheme):
        assert stated is not None
        raise DataError(source, f"has landmarks of {stated.title}, not of {scheme.title}")
    found = 0
    for record in read_xml(source, scheme, problems):
        with problems.skipping():
            if not is_file(record.path):
                raise DataError(source, f"names a picture that is not there: {record.path}")
            found += len(record.faces)
            yield record
    if counts is not None:
        counts.append(FolderCount(source.name, found, None))

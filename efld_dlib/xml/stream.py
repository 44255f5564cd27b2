"""The elements of dlib's XML as they stand in the file, one picture at a time, with their lines.

`imglab` reads the faces of such a file; this reads everything in it, wrong entries too. It uses
expat, which counts lines without limit, opens nothing outside the file and can be stopped at a
declaration of entities.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from ..errors import DataError, OptionError
from ..files import require_regular
from ..landmarks import SCHEMES

Report = Callable[[str, int, str], None]
"""Takes what is odd in a file: a kind of `xml.check.KINDS`, the line, and what is wrong."""

# dlib's XML is five levels deep; the limit is against files made to exhaust memory.
_MAX_DEPTH = 100
_CHUNK = 1 << 16

# Where dlib looks for an element; elsewhere it passes over it, or mixes it up with the next one.
_PARENTS = {"images": "dataset", "image": "images", "box": "image", "part": "box"}

_ESCAPE = re.compile(rb"""=\s*(?:"[^"]*&[^"]*"|'[^']*&[^']*')""")
_SCHEME = re.compile(r"\bscheme (\d+)")
_LATIN = ("ISO-8859-1", "LATIN1", "LATIN-1")


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

    def each(self, tag: str) -> Iterator[Element]:
        """Children of one kind."""
        return (child for child in self.children if child.tag == tag)


def refuse(source: Path) -> Report:
    """A report that raises what would be lost on the way, for readers that do not collect."""

    def report(kind: str, line: int, problem: str) -> None:
        if kind != "encoding":
            raise DataError(source, problem, line)

    return report


class XmlStream:
    """One pass over a file.

    Parameters
    ----------
    source : path
        The XML. It is untrusted.
    report : callable, optional
        Takes what is odd in the file as a whole; by default it is raised.

    Attributes
    ----------
    name, comment : str
        The document's head lines, once they were passed.
    root_line : int
    stopped : bool
        Whether the rest of the file was left unread for what was reported.
    """

    def __init__(self, source: str | Path, report: Report | None = None) -> None:
        self.source = Path(source)
        self.name = self.comment = ""
        self.root_line = 1
        self._report = report if report is not None else refuse(self.source)
        self._stack: list[Element] = []
        self._done: list[Element] = []
        self.stopped = False
        self._latin = False
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._entity
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def images(self) -> Iterator[Element]:
        """The ``<image>`` elements.

        Raises
        ------
        DataError
            The file cannot be read, or is not well-formed XML; names the line.
        """
        line = 1
        try:
            require_regular(self.source)
            with self.source.open("rb") as file:
                while not self.stopped and (chunk := file.readline(_CHUNK)):
                    if line == 1:
                        self._first_bytes(chunk)
                    if b"&" in chunk and _ESCAPE.search(chunk):
                        self._report(
                            "escape", line, "an attribute has an &…;, which dlib does not decode"
                        )
                    self._parser.Parse(chunk)
                    line += chunk.endswith(b"\n")
                    yield from self._done
                    self._done.clear()
                if not self.stopped:
                    self._parser.Parse(b"", True)
        except OSError as error:
            raise DataError(self.source, f"cannot be read ({error.strerror})") from error
        except (LookupError, ValueError) as error:
            # What expat does not know itself it asks Python's codecs for.
            what = f"has an encoding that cannot be read ({error})"
            raise DataError(self.source, what, 1) from error
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            raise DataError(
                self.source, f"is not well-formed XML ({what})", error.lineno
            ) from error

    def file_name(self, image: Element) -> str | None:
        """Name of the picture as dlib asks the system for it: by the bytes in the file."""
        name = image.attributes.get("file")
        if name is not None and self._latin:
            return os.fsdecode(name.encode("latin-1", "replace"))
        return name

    def _first_bytes(self, chunk: bytes) -> None:
        if chunk.startswith((b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")):
            self._report("encoding", 1, "is UTF-16, which dlib does not read")
        elif chunk.startswith(b"\xef\xbb\xbf"):
            self._report("encoding", 1, "starts with a byte order mark, at which dlib stops")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self._latin = (encoding or "").upper() in _LATIN

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        line = self._parser.CurrentLineNumber
        self._report("doctype", line, "has a DOCTYPE, which dlib's XML never has")

    def _entity(self, name: str, *rest: object) -> None:
        line = self._parser.CurrentLineNumber
        self._stop()
        self._report(
            "doctype", line, f"declares the entity '{name}', which dlib leaves as it is; stopped"
        )

    def _stop(self) -> None:
        """Handle nothing more; expat itself cannot be halted from its handlers."""
        self.stopped = True
        self._parser.StartElementHandler = self._parser.EndElementHandler = None
        self._parser.CharacterDataHandler = self._parser.EntityDeclHandler = None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, self._parser.CurrentLineNumber)
        parent = self._stack[-1] if self._stack else None
        if parent is None:
            self.root_line = element.line
            if tag != "dataset":
                self._stop()
                self._report("root", element.line, f"expected <dataset>, found <{tag}>")
                return
        elif tag in _PARENTS and parent.tag != _PARENTS[tag]:
            self._report(
                "misplaced",
                element.line,
                f"<{tag}> in <{parent.tag}>, where dlib does not look for it",
            )
        if len(self._stack) >= _MAX_DEPTH:
            raise DataError(self.source, "elements are nested too deep", element.line)
        self._stack.append(element)

    def _end(self, tag: str) -> None:
        element = self._stack.pop()
        element.text = element.text.strip()
        parent = self._stack[-1] if self._stack else None
        if parent is None:
            return
        if tag == "image" and parent.tag == "images":
            self._done.append(element)
        elif parent.tag == "dataset":
            if tag in ("name", "comment"):
                setattr(self, tag, element.text)
        elif parent.tag != "images":
            parent.children.append(element)

    def _text(self, text: str) -> None:
        if self._stack:
            self._stack[-1].text += text


def stated_scheme(source: str | Path) -> str:
    """The scheme that the file's comment names, as `efld-dlib xml` writes it; else "68".

    It may be none of `efld_dlib.landmarks.SCHEMES`.
    """
    return named_scheme(source) or "68"


def named_scheme(source: str | Path) -> str | None:
    """As `stated_scheme`, or None where the comment names no scheme."""
    stream = XmlStream(source, lambda kind, line, problem: None)
    try:
        next(stream.images(), None)
    except DataError:
        return None  # whoever reads the file to its end will say what is wrong with it
    match = _SCHEME.search(stream.comment)
    return match[1] if match else None


def require_scheme(scheme: str) -> None:
    """Refuse a scheme that there is not, with an `OptionError` that names those there are."""
    if scheme not in SCHEMES:
        raise OptionError(f"there is no scheme '{scheme}'; choose {', '.join(SCHEMES)}")

"""Joining and parting dlib's XML files without loss.

All that dlib knows is kept as it stands: every attribute (``ignore``, ``pose``, ``angle``, …),
labels, parts of any name, repeated boxes, pictures without a box. XML comments and the white space
are not. Paths are made relative to the new file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from ..datasets.split import choose_photographs, photograph_of
from ..errors import DataError, OptionError
from .read import Element, XmlStream, xml_scheme
from .write import XmlFile, attributes, relative_name, writing


def _serialised(element: Element, indent: str) -> str:
    """An element below ``<image>`` as text, in one form whatever its white space was."""
    head = f"{indent}<{element.tag}{attributes(element.attributes)}"
    if not element.children:
        return f"{head}>{escape(element.text)}</{element.tag}>\n" if element.text else f"{head}/>\n"
    inner = "".join(_serialised(child, indent + "  ") for child in element.children)
    text = f"{indent}  {escape(element.text)}\n" if element.text else ""
    return f"{head}>\n{text}{inner}{indent}</{element.tag}>\n"


def _boxes(image: Element) -> list[str]:
    return [_serialised(child, "    ") for child in image.children]


def _located(stream: XmlStream) -> Iterator[tuple[str, Path, Element]]:
    """Name, place and entry of each picture. The place is absolute, with links kept."""
    folder = stream.source.parent.resolve()
    for image in stream.images():
        name = stream.file_name(image)
        if not name:
            stream.refuse("path", image.line, "<image> has no file")
        yield name, Path(os.path.normpath(folder / name)), image


def _write(xml: XmlFile, path: Path, named: dict[str, str], boxes: Sequence[str]) -> None:
    name = relative_name(path, xml.folder)
    if any(sign in name for sign in "&<>"):
        raise DataError(ascii(name), "has a name that dlib cannot read from XML; rename it")
    xml.image({"file": ""} | named | {"file": name}, boxes)


def merge_xml(sources: Iterable[str | Path], target: str | Path) -> tuple[XmlFile, int, int]:
    """Join XML files into one.

    Pictures stand in the order of their first entry. A box of a picture that is exactly as one of
    an earlier entry of it is not taken again; an entry's own repeated boxes, which are weights,
    stay: of n copies in one entry and m in another, the larger number is kept.

    Parameters
    ----------
    sources : iterable of path
        All are read before `target` is written.
    target : path
        May be one of the sources.

    Returns
    -------
    written : XmlFile
    shared_pictures : int
        Entries of pictures that an entry before them had too.
    equal_boxes : int
        Boxes of such pictures left out because the same box was there already.

    Raises
    ------
    DataError
        A source is missing or wrong; names the line. Or its landmarks are of another scheme than
        those of the first.
    """
    pictures: dict[Path, tuple[dict[str, str], list[str]]] = {}
    shared = equal = 0
    names: list[str] = []
    comments: list[str] = []
    paths = [Path(source) for source in sources]
    for source in paths:
        own, first = xml_scheme(source), xml_scheme(paths[0])
        if own != first:
            raise DataError(
                source, f"has landmarks of {own.title}, the first file of {first.title}"
            )
        stream = XmlStream(source, tolerated=["encoding"])
        for _, path, image in _located(stream):
            boxes = _boxes(image)
            if path not in pictures:
                pictures[path] = (image.attributes, boxes)
                continue
            shared += 1
            known = pictures[path][1]
            left = Counter(known)
            for box in boxes:
                if left[box] > 0:
                    left[box] -= 1
                    equal += 1
                else:
                    known.append(box)
        names.append(stream.name or source.name)
        comments += [stream.comment] if stream.comment else []
    name, comment = ", ".join(dict.fromkeys(names)), "; ".join(dict.fromkeys(comments))
    with writing(target, name, comment) as xml:
        for path, (named, kept) in pictures.items():
            _write(xml, path, named, kept)
    return xml, shared, equal


def split_xml(
    source: str | Path,
    train: str | Path,
    held_out: str | Path,
    fraction: float = 0.1,
    seed: int = 1,
) -> list[XmlFile]:
    """Part an XML file into one to train on and one held out.

    Parameters
    ----------
    source : path
    train, held_out : path
        The new files.
    fraction : float
        Of the photographs to hold out, above 0 and below 1. What `split.photograph_of` takes for
        one photograph is kept together.
    seed : int

    Returns
    -------
    list of XmlFile
        `train` and `held_out`.

    Raises
    ------
    DataError
        The source is missing or wrong, or one of the parts would be empty.
    OptionError
        An option is outside its range, or the two new files are one.
    """
    if not 0 < fraction < 1:
        raise OptionError(f"the fraction must be above 0 and below 1, not {fraction}")
    targets = Path(train), Path(held_out)
    if targets[0].resolve() == targets[1].resolve():
        raise OptionError(f"both parts would be written to {train}")

    def group(name: str) -> str:
        return photograph_of(Path(os.path.normpath(name)).as_posix())

    stream = XmlStream(source, tolerated=["encoding"])
    groups = {group(name) for name, _, _ in _located(stream)}
    chosen = choose_photographs(groups, fraction, np.random.default_rng(seed))
    if not chosen or len(chosen) == len(groups):
        problem = f"{fraction:g} of {len(groups)} photographs leaves one part empty"
        raise DataError(source, problem)
    with ExitStack() as stack:
        parts = [stack.enter_context(writing(t, stream.name, stream.comment)) for t in targets]
        for name, path, image in _located(XmlStream(source, tolerated=["encoding"])):
            _write(parts[group(name) in chosen], path, image.attributes, _boxes(image))
    return parts

"""dlib's XML as a source of pictures: whatever `imglab` reads, and the pictures must be there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError, Problems
from ..files import is_file
from ..records import ImageRecord
from .imglab import read_imglab
from .reading import FolderCount
from .xml_stream import named_scheme


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

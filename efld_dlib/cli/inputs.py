"""The pictures that a command is given: files, folders, globs and lists."""

from __future__ import annotations

import codecs
import glob
import sys
from pathlib import Path

from ..errors import DataError

STDIN = "-"
"""A picture on stdin, where a command takes one."""


def list_inputs(images: tuple[str, ...]) -> list[str]:
    """The pictures that the arguments name: files as they stand, folders and globs spread out.

    Raises
    ------
    DataError
        A folder or a glob has no picture.
    """
    names: list[str] = []
    for image in images:
        path = Path(image)
        try:
            there = image == STDIN or path.is_file()
        except OSError:  # such as of a name that is too long for any file
            there = True
        if there:
            names.append(image)
        elif path.is_dir():
            from imutils import paths

            from ..images import IMAGE_SUFFIXES

            listed = paths.list_files(image, validExts=IMAGE_SUFFIXES)
            # A pipe that lies in a folder would be waited for without end.
            inside = sorted(name for name in listed if not Path(name).is_fifo())
            if not inside:
                raise DataError(image, "is a folder without a picture")
            names.extend(inside)
        elif glob.has_magic(image):
            matches = sorted(
                name for name in glob.glob(image, recursive=True) if Path(name).is_file()
            )
            if not matches:
                raise DataError(image, "no file matches")
            names.extend(matches)
        else:
            # Missing: reported in its turn, like every other picture that cannot be read.
            names.append(image)
    return names


def read_list(path: str) -> list[str]:
    """The paths in a file that has one a line; empty lines are passed over, and - is stdin.

    Relative ones start where the program was started. A byte order mark, as editors on Windows
    write it, is no part of the first.

    Raises
    ------
    DataError
        It cannot be read, or has no path.
    """
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    # A file name may be no UTF-8; what it is then comes back when the file is opened.
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    # Not splitlines(): it also breaks at signs that names may have, such as U+2028.
    names = [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
    if not names:
        raise DataError(path, "is a list without a picture")
    return names

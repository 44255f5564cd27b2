"""Writing files so that a reader never meets half of one, and reading what is a file indeed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .errors import DataError, OutputError

MAX_BYTES = 2 << 30
"""Largest file that is read into memory as a whole."""

# What the system says when there is no room left, of whatever kind.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def require_regular(path: str | Path, pipes: bool = False) -> None:
    """Refuse what is no file: a data set may hold links to devices, which never end.

    Parameters
    ----------
    path : path
    pipes : bool
        Whether a pipe will do, such as the shell's ``<(command)``.

    Raises
    ------
    OSError
        It is missing, a folder, a device, or a pipe, or no file can have such a name; with a text
        to print.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError:  # a zero byte, or a surrogate that stands for no byte
        raise OSError(errno.EINVAL, "its name is none that a file can have") from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode) and not (pipes and stat.S_ISFIFO(mode)):
        raise OSError(errno.EINVAL, "a device, a pipe or a socket, not a file")


def read_bytes(path: str | Path, pipes: bool = False) -> bytes:
    """The bytes of a file, of which there may be `MAX_BYTES`; errors as of `require_regular`."""
    require_regular(path, pipes)
    data = bytearray()
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while size <= MAX_BYTES and (chunk := file.read(1 << 20)):
            data += chunk
            size = len(data)
    if size > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES >> 30} GB")
    return bytes(data)


def read_input(path: str | Path, error: type[DataError] = DataError, pipes: bool = False) -> bytes:
    """As `read_bytes`; what goes wrong is an `error` that names the file."""
    try:
        return read_bytes(path, pipes)
    except OSError as problem:
        raise error(path, f"cannot be read ({problem.strerror})") from problem


def sha256(path: str | Path) -> str:
    """Hexadecimal digest of a file's bytes; errors as of `read_input`."""
    return hashlib.sha256(read_input(path)).hexdigest()


def is_file(path: str | Path) -> bool:
    """Whether `path` is a file; no name, however long or odd, is an error."""
    return os.path.isfile(path)


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """A temporary file beside `target`, renamed into its place when the block ends well.

    If the block raises, the temporary file is removed and `target` is left as it was. The suffix is
    kept, since some writers choose their format by it.

    Raises
    ------
    OutputError
        When the folder cannot be made or written to, or there is no room left.
    """
    target = Path(target)
    with _named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise OutputError(target, "is a folder, not a file to write")
        if target.exists() and not target.is_file():
            # Renaming over /dev/null would replace the device for everyone.
            raise OutputError(target, "is a device or a pipe, not a file to write")
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem[:40]}-", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with _named(target, name):
            yield temporary
        with _named(target):
            # mkstemp makes files for the owner's eyes only; an output gets the usual permissions.
            os.chmod(temporary, 0o666 & ~_UMASK)
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_text(target: str | Path) -> Iterator[TextIO]:
    """As `atomic_path`, but open for text in UTF-8, whose line breaks stay as they are."""
    with (
        atomic_path(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


@contextmanager
def _named(target: Path, temporary: str | None = None) -> Iterator[None]:
    """Make an `OutputError` of what goes wrong with an output.

    Of a block that has a temporary file, other things may go wrong too, such as with the inputs.
    """
    try:
        yield
    except OSError as error:
        lacking = error.filename is None and error.errno in _NO_ROOM
        if temporary is None or error.filename == temporary or lacking:
            raise OutputError(target, f"cannot be written ({error.strerror})") from error
        raise


# The only way to read the mask is to set it, which is done once, before any thread is there.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def write_text(target: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all.

    Bytes of a file's name that are no text are written as JSON escapes them, so that JSON gives the
    same name.
    """
    with atomic_path(target) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_json(target: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

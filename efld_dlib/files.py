"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DataError


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """A temporary file beside `target`, renamed into its place when the block ends well.

    If the block raises, the temporary file is removed and `target` is left as it was. The suffix is
    kept, since some writers choose their format by it.

    Raises
    ------
    DataError
        When the folder cannot be made or written to.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise DataError(target, "is a folder, not a file to write")
        if target.exists() and not target.is_file():
            # Renaming over /dev/null would replace the device for everyone.
            raise DataError(target, "is a device or a pipe, not a file to write")
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem[:40]}-", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
    except OSError as error:
        raise DataError(target, f"cannot be written ({error.strerror})") from error
    temporary = Path(name)
    try:
        yield temporary
        _publish(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


# The only way to read the mask is to set it, which is done once, before any thread is there.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def _publish(temporary: Path, target: Path) -> None:
    try:
        # mkstemp makes files for the owner's eyes only; an output gets the usual permissions.
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, target)
    except OSError as error:
        raise DataError(target, f"cannot be written ({error.strerror})") from error


def write_text(target: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

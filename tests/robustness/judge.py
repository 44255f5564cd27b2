"""What may come of a damaged input: it is read, refused or skipped; all else is a failure."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from efld_dlib.cli.main import cli
from efld_dlib.errors import EfldError

PRECIOUS = b"what an earlier run left"

# What a command says that leaves something out: how many inputs, or how many frames of a video.
_COUNTED = ("could not be used", "damaged or cut short")


class Failure(AssertionError):  # noqa: N818
    """An outcome that may not be; the message says which."""


def judged(read: Callable[[], Any], names: tuple[str, ...]) -> str:
    """The outcome of a reader: "read", or "refused" by an error of ours with one of `names`."""
    try:
        read()
    except EfldError as error:
        return _refused(str(error), names)
    except Exception as error:
        raise Failure("".join(traceback.format_exception(error)[-4:])) from error
    return "read"


def _refused(message: str, names: tuple[str, ...]) -> str:
    if names and not any(name in message for name in names):
        raise Failure(f"the error names none of {names}: {message[:300]}")
    if len(message) > 2000:
        raise Failure(f"an error of {len(message)} characters: {message[:300]}")
    return "refused"


def run_command(arguments: list[str], names: tuple[str, ...], output: Path | None = None) -> Result:
    """Run a command in this process, and hold its outcome against the rules.

    Parameters
    ----------
    arguments : list of str
    names : tuple of str
        One of them must be in what is said where the exit code is 2.
    output : path, optional
        A file that the command writes: it holds `PRECIOUS` beforehand, and afterwards too where
        the exit code is 2; nothing temporary is left beside it.
    """
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(PRECIOUS)
    result = CliRunner().invoke(cli, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise Failure("".join(traceback.format_exception(result.exception)[-5:]))
    if result.exit_code not in (0, 1, 2):
        raise Failure(f"exit code {result.exit_code}: {result.stderr[-500:]}")
    if "Traceback" in result.output:
        raise Failure(f"a traceback: {result.output[-1500:]}")
    if result.exit_code == 2:
        _refused(_last_error(result), names)
    if result.exit_code == 1 and not any(
        counted in result.stderr + result.stdout for counted in _COUNTED
    ):
        quiet = arguments[:2] == ["xml", "check"]
        if not quiet:
            raise Failure(f"exit code 1, and nothing is counted: {result.output[-300:]}")
    if output is not None:
        _unharmed(output, result)
    return result


def _last_error(result: Result) -> str:
    if not re.search(r"^Error: ", result.stderr, re.MULTILINE):
        raise Failure(f"exit code 2 without an error: {result.output[-300:]}")
    return result.stderr.rpartition("\nError: ")[2].strip()


def _unharmed(output: Path, result: Result) -> None:
    if result.exit_code == 2 and (not output.is_file() or output.read_bytes() != PRECIOUS):
        raise Failure(f"{output.name} was changed by a run that failed")
    left = [path.name for path in output.parent.iterdir() if path.name.startswith(".")]
    if left:
        raise Failure(f"left behind: {left}")

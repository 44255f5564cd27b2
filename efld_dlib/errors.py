"""The errors that the toolkit raises on purpose, and a collector for bulk runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_MESSAGE = 1200
"""Characters of a message; of a longer one, as when a whole file stands in one line, the middle is
left out."""

# Line breaks, what steers a terminal, and what turns the direction of writing: a file's name or
# content must not be able to forge what is printed.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LONG_WORD = re.compile(r"\S{500,}")


def printable(text: str) -> str:
    """`text` as one line of bounded length in which nothing steers a terminal."""
    # What is cut first is what is too long for a word, so that the sentence about it stays.
    text = _LONG_WORD.sub(lambda word: f"{word[0][:300]}...{word[0][-180:]}", text)
    text = _UNSAFE.sub(lambda sign: ascii(sign[0])[1:-1], text)
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 300]} ... {text[-295:]}"
    return text


class EfldError(Exception):
    """Base of every error that is the input's or the caller's, not a fault of the program.

    The message names the file and the thing that is wrong in it; the command line prints it as one
    line and ends with exit code 2.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class DataError(EfldError):
    """A picture, annotation or XML file that cannot be used as it is.

    Parameters
    ----------
    source : path or str
        The file (or "<bytes>", "<array>") that is at fault.
    problem : str
        What is wrong with it, in a few words.
    line : int, optional
        Line in the file, counted from 1.
    """

    def __init__(self, source: str | Path, problem: str, line: int | None = None) -> None:
        self.source = str(source)
        self.problem = problem
        self.line = line
        place = f"{self.source}, line {line}" if line is not None else self.source
        super().__init__(f"{place}: {problem}")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.source, self.problem, self.line)


class OutputError(DataError):
    """A file or folder that cannot be written; it ends a bulk run, since the next cannot either."""


class ModelFormatError(DataError):
    """A file that is not a shape predictor, or a damaged one."""


class OptionError(EfldError):
    """An option or parameter outside its range; the message says what was given."""


class MissingDependencyError(EfldError):
    """A package that is needed for this step is not installed; the message says how to get it."""


class TrainingError(EfldError):
    """dlib's trainer could not be run to its end."""


class Problems:
    """Collects the bad inputs of a bulk run, so that one of them does not lose the others.

    Parameters
    ----------
    strict : bool
        Raise the first problem instead of collecting it.
    report : callable, optional
        Called with the message of each problem as it is met.
    """

    def __init__(self, strict: bool = False, report: Callable[[str], None] | None = None) -> None:
        self.strict = strict
        self.report = report
        self.errors: list[EfldError] = []

    def __len__(self) -> int:
        return len(self.errors)

    def add(self, error: EfldError) -> None:
        """Note `error`, or raise it in a strict run, or where it is of an output."""
        if self.strict or isinstance(error, OutputError):
            raise error
        self.errors.append(error)
        if self.report is not None:
            self.report(str(error))

    @contextmanager
    def skipping(self) -> Iterator[None]:
        """Run a block of which an `EfldError` is noted and the rest left undone."""
        try:
            yield
        except EfldError as error:
            self.add(error)

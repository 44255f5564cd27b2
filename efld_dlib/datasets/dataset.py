"""What the table of data sets says of each, and reading one by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError, Problems
from ..records import ImageRecord
from .reading import FolderCount


@dataclass(frozen=True)
class ReaderOption:
    """A parameter of a reader that a user may set.

    Parameters
    ----------
    name : str
        The reader's keyword.
    help : str
        What it does.
    choices : tuple of str
        Its values; where there are none, it is a folder, or text if it has a default.
    default : str, optional
        Its value when nothing is said.
    """

    name: str
    help: str
    choices: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A data set and how to read it.

    Parameters
    ----------
    name : str
        What the command line calls it.
    title : str
        Its proper name.
    read : callable
        ``read(root, problems=…, counts=…)`` yields `ImageRecord`; takes `scheme` if there are
        several schemes, and the `options`.
    schemes : tuple of str
        Landmark schemes that it can give, the first by default.
    needs : str
        What a folder of it must hold, for the error when there is nothing.
    help : str
        What the set is, in one line.
    options : tuple of ReaderOption
        The reader's further parameters.
    examples : tuple of str
        Arguments of ``efld-dlib xml NAME``.
    """

    name: str
    title: str
    read: Callable[..., Iterator[ImageRecord]]
    schemes: tuple[str, ...]
    needs: str
    help: str
    options: tuple[ReaderOption, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def default_scheme(self) -> str:
        """The scheme that is read when none is named."""
        return self.schemes[0]

    def records(
        self,
        root: str | Path,
        scheme: str | None = None,
        problems: Problems | None = None,
        counts: list[FolderCount] | None = None,
        **options: Any,
    ) -> Iterator[ImageRecord]:
        """The annotated pictures at `root`.

        Parameters
        ----------
        root : path
            The set's folder (for ``imglab``, the XML file).
        scheme : str, optional
            One of `schemes`; `default_scheme` by default.
        problems, counts
            As in `reading.read_each`.
        **options
            Values of `options`; of others, the reader raises a `TypeError`.

        Returns
        -------
        iterator of ImageRecord

        Raises
        ------
        OptionError
            The set has no such scheme, or an option not this value.
        """
        scheme = scheme or self.default_scheme
        if scheme not in self.schemes:
            raise OptionError(
                f"{self.title} has no {scheme}-point landmarks, only {' or '.join(self.schemes)}"
            )
        for option in self.options:
            value = options.get(option.name, option.default)
            if option.choices and value not in option.choices:
                raise OptionError(
                    f"{option.name} of {self.title} must be {' or '.join(option.choices)}, "
                    f"not '{value}'"
                )
        if len(self.schemes) > 1:
            options["scheme"] = scheme
        return self.read(root, problems=problems, counts=counts, **options)

    @property
    def has_test_part(self) -> bool:
        """Whether a command's choice of a subset applies to it.

        It does not if the set is read whole by default: its official parts share persons, so that
        neither is a test of the other.
        """
        return any(own.name == "subset" and own.default != "all" for own in self.options)

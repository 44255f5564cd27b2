"""The data sets that the toolkit reads: a new one is a reader beside this file, and a line here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

from ..errors import DataError, OptionError, Problems
from ..landmarks import Scheme, read_scheme
from ..records import ImageRecord
from ..xml.read import read_xml_checked
from .aflw import read_aflw
from .aflw19 import read_aflw19
from .aflw2000 import read_aflw2000
from .base import FolderCount
from .cfp import read_cfp
from .cofw68 import read_cofw68
from .facesynthetics import read_facesynthetics
from .merl_rav import read_merl_rav
from .w300 import read_w300
from .wflw import read_wflw
from .ytf import read_ytf


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
        several schemes. Its other parameters are options that a user may set.
    needs : str
        What a folder of it must hold, for the error when there is nothing.
    schemes : tuple of str
        Names of the landmark schemes that it can give, the first by default; empty where it may be
        any, and the reader takes a `Scheme` or None.
    choices : mapping of str to tuple of str
        The values of those options that do not take any text or folder.
    """

    name: str
    title: str
    read: Callable[..., Iterator[ImageRecord]]
    needs: str
    schemes: tuple[str, ...] = ("68",)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, str | None]:
        """The default of each option by its name."""
        _, *parameters = signature(self.read).parameters.values()
        return {each.name: each.default for each in parameters if each.name not in _NO_OPTIONS}

    def records(
        self,
        root: str | Path,
        scheme: Scheme | str | None = None,
        problems: Problems | None = None,
        counts: list[FolderCount] | None = None,
        **options: Any,
    ) -> Iterator[ImageRecord]:
        """The annotated pictures at `root`.

        Parameters
        ----------
        root : path
            The set's folder (for ``imglab``, the XML file).
        scheme : Scheme or str, optional
            One of `schemes`; the first by default.
        problems, counts
            As in `base.reader`.
        **options
            Values of `options`.

        Returns
        -------
        iterator of ImageRecord

        Raises
        ------
        OptionError
            The set has no such scheme or option, or an option not this value.
        """
        if isinstance(scheme, str):
            scheme = read_scheme(scheme)
        if scheme is not None and self.schemes and scheme.name not in self.schemes:
            raise OptionError(
                f"{self.title} has no landmarks of {scheme.title}, only of "
                f"{' or '.join(self.schemes)}"
            )
        for name, value in options.items():
            if name not in self.options:
                takes = " and ".join(self.options) or "no option"
                raise OptionError(f"{self.title} has no option '{name}'; it takes {takes}")
            choices = self.choices.get(name)
            if choices and value not in choices:
                raise OptionError(
                    f"{name} of {self.title} must be {' or '.join(choices)}, not '{value}'"
                )
        if not self.schemes:
            options["scheme"] = scheme
        elif len(self.schemes) > 1:
            options["scheme"] = self.schemes[0] if scheme is None else scheme.name
        return self.read(root, problems=problems, counts=counts, **options)

    @property
    def has_test_part(self) -> bool:
        """Whether a command's choice of a subset applies to it.

        It does not if the set is read whole by default: its official parts share persons, so that
        neither is a test of the other.
        """
        return self.options.get("subset", "all") != "all"


_NO_OPTIONS = ("scheme", "problems", "counts")

_ALL = (
    DataSet("300w", "300-W", read_w300, ".pts file with a picture beside it", ()),
    DataSet("aflw", "AFLW", read_aflw, "face in aflw.sqlite", ("21", "68", "19")),
    DataSet(
        "aflw2000",
        "AFLW2000-3D",
        read_aflw2000,
        "image*.mat file with a picture beside it",
        ("68", "21"),
    ),
    DataSet(
        "aflw19",
        "AFLW-19",
        read_aflw19,
        "face in AFLWinfo_release.mat",
        ("19",),
        {"subset": ("train", "test", "test-frontal")},
    ),
    DataSet(
        "merl-rav",
        "MERL-RAV",
        read_merl_rav,
        ".pts file with its picture",
        choices={"hidden": ("keep", "drop")},
    ),
    DataSet("cofw68", "COFW-68", read_cofw68, "<number>_points.mat file with its picture"),
    DataSet(
        "wflw", "WFLW", read_wflw, "face in its list", ("98", "68"), {"subset": ("train", "test")}
    ),
    DataSet(
        "facesynthetics",
        "FaceSynthetics",
        read_facesynthetics,
        "*_ldmks.txt file with a picture beside it",
    ),
    DataSet(
        "ytf", "YTF", read_ytf, "line in its lists", choices={"subset": ("train", "test", "all")}
    ),
    DataSet("cfp", "CFP", read_cfp, "Fiducials/NNN/profile/NN.txt file with its picture in Images"),
    DataSet("imglab", "dlib XML", read_xml_checked, "picture", ()),
)

DATASETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _ALL}
"""By name."""

# A single letter before the colon is a drive of Windows.
_NAMED_SOURCE = re.compile(r"([\w-]{2,}):(.*)", re.DOTALL)


def open_dataset(
    source: str | os.PathLike[str],
    subset: str | None = None,
    scheme: Scheme | str | None = None,
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
    **options: Any,
) -> Iterator[ImageRecord]:
    """The annotated images of a data set, one at a time.

    Parameters
    ----------
    source : path or str
        ``NAME:PATH`` with a name of `DATASETS`; or a 300-W tree or another folder of ``.pts``
        files; or a dlib XML file. A path that exists is one, whatever colons it has.
    subset : str, optional
        The part to read, such as ``"train"`` or ``"test"``, or of a 300-W tree ``"test-common"`` or
        a folder in it. By default the training part, or all of a set without parts.
    scheme : Scheme or str, optional
        The landmarks: a key of `efld_dlib.landmarks.SCHEMES`, or what `find_scheme` read. By
        default the 68 of a set that can give them, and what an XML says itself.
    problems : Problems, optional
        Takes the images that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets an entry for each folder or list, when it has been read.
    **options
        Further parameters of the set's reader, such as ``pictures="aflw/data/flickr"``.

    Returns
    -------
    iterator of ImageRecord
        What `build_training_xml`, `evaluate` and `write_xml` take.

    Raises
    ------
    DataError
        `source` is none of these, or cannot be read.
    OptionError
        Unknown data set, or one without this subset, scheme or option.
    """
    dataset, path = find_dataset(source)
    if subset is not None:
        options["subset"] = subset
    if scheme is None and "68" in dataset.schemes:
        scheme = "68"
    return dataset.records(path, scheme, problems, counts, **options)


def find_dataset(source: str | os.PathLike[str]) -> tuple[DataSet, Path]:
    """The data set that `source` is of, and its path; parameters and errors as `open_dataset`."""
    if not isinstance(source, str | os.PathLike):
        raise OptionError(f"a data set is given as a path or NAME:PATH, not as {source!r}")
    name, path = _split_source(Path(source))
    if name not in DATASETS:
        raise OptionError(f"'{name}' in {source} is no data set; there are {', '.join(DATASETS)}")
    return DATASETS[name], path


def _split_source(source: Path) -> tuple[str, Path]:
    if source.is_dir():
        return "300w", source
    if not source.exists() and (match := _NAMED_SOURCE.fullmatch(str(source))):
        return match.group(1), Path(match.group(2))
    if source.suffix.lower() == ".xml":
        return "imglab", source
    problem = "is neither a folder nor an .xml file" if source.exists() else "does not exist"
    raise DataError(source, problem)

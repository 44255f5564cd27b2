"""The data sets that the toolkit reads: a new one is a reader beside this file, and a line here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError, OptionError, Problems
from ..landmarks import SCHEMES
from ..records import ImageRecord
from ..xml.read import read_imglab_checked
from .aflw import read_aflw
from .aflw19 import read_aflw19
from .aflw2000 import read_aflw2000
from .base import DataSet, FolderCount, ReaderOption
from .cfp import read_cfp
from .cofw68 import read_cofw68
from .facesynthetics import read_facesynthetics
from .merl_rav import read_merl_rav
from .w300 import read_w300
from .wflw import read_wflw
from .ytf import read_ytf


def _pictures(where: str) -> ReaderOption:
    return ReaderOption("pictures", f"Folder of the pictures [default: {where}].")


_AFLW_PICTURES = _pictures("ROOT/data/flickr, ROOT/flickr or ROOT")

_ALL = (
    DataSet(
        "300w",
        "300-W",
        read_w300,
        ("68",),
        ".pts file with a picture beside it",
        "Convert 300-W, or any folder of pictures with .pts files beside them.",
        (
            ReaderOption(
                "subset",
                "train, test-common, test-challenging, test-full, or a folder in ROOT such as "
                "helen/testset.",
                default="train",
            ),
            ReaderOption(
                "boxes_mat",
                "Folder with the official bounding_boxes_*.mat [default: 'Bounding Boxes' in "
                "ROOT, where it is there].",
            ),
        ),
    ),
    DataSet(
        "aflw",
        "AFLW",
        read_aflw,
        ("21", "68", "19"),
        "face in aflw.sqlite",
        "Convert AFLW from its aflw.sqlite.",
        (_AFLW_PICTURES,),
    ),
    DataSet(
        "aflw2000",
        "AFLW2000-3D",
        read_aflw2000,
        ("68", "21"),
        "image*.mat file with a picture beside it",
        "Convert AFLW2000-3D from its .mat files.",
    ),
    DataSet(
        "aflw19",
        "AFLW-19",
        read_aflw19,
        ("19",),
        "face in AFLWinfo_release.mat",
        "Convert AFLW-19 from its AFLWinfo_release.mat.",
        (
            ReaderOption(
                "subset",
                "Which faces.",
                ("train", "test", "test-frontal"),
                "train",
            ),
            _AFLW_PICTURES,
        ),
    ),
    DataSet(
        "merl-rav",
        "MERL-RAV",
        read_merl_rav,
        ("68",),
        ".pts file with its picture",
        "Convert MERL-RAV: AFLW's faces with 68 landmarks and their visibility.",
        (
            ReaderOption(
                "hidden",
                "Keep or drop landmarks that something else than the face hides.",
                ("keep", "drop"),
                "keep",
            ),
            _pictures("beside each .pts file"),
        ),
    ),
    DataSet(
        "cofw68",
        "COFW-68",
        read_cofw68,
        ("68",),
        "<number>_points.mat file with its picture",
        "Convert COFW-68: occluded faces, their pictures as files 1.png, 2.png, ...",
        (_pictures("anywhere in ROOT"),),
    ),
    DataSet(
        "wflw",
        "WFLW",
        read_wflw,
        ("98", "68"),
        "face in its list",
        "Convert WFLW from its list_98pt_rect_attr_*.txt.",
        (
            ReaderOption("subset", "Which faces.", ("train", "test"), "train"),
            _pictures("ROOT/WFLW_images or ROOT"),
        ),
    ),
    DataSet(
        "facesynthetics",
        "FaceSynthetics",
        read_facesynthetics,
        ("68",),
        "*_ldmks.txt file with a picture beside it",
        "Convert FaceSynthetics: rendered faces.",
    ),
    DataSet(
        "ytf",
        "YTF",
        read_ytf,
        ("68",),
        "line in its lists",
        "Convert YTF: frames of videos, for non-commercial research only.",
        (
            ReaderOption(
                "subset",
                "Which faces. Both official parts hold the same persons: to test on faces held "
                "out, split by person.",
                ("train", "test", "all"),
                "all",
            ),
        ),
    ),
    DataSet(
        "cfp",
        "CFP",
        read_cfp,
        ("68",),
        "Fiducials/NNN/profile/NN.txt file with its picture in Images",
        "Convert CFP: profiles, 30 of the 68 landmarks, for non-commercial research only.",
    ),
    DataSet(
        "imglab",
        "dlib XML",
        read_imglab_checked,
        tuple(SCHEMES),
        "picture",
        "Read a dlib XML, check it, and write what is usable anew.",
    ),
)

DATASETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _ALL}
"""By name."""

# A single letter before the colon is a drive of Windows.
_NAMED_SOURCE = re.compile(r"([\w-]{2,}):(.*)", re.DOTALL)


def open_dataset(
    source: str | os.PathLike[str],
    subset: str | None = None,
    scheme: str = "68",
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
    scheme : str
        The landmarks, a key of `efld_dlib.landmarks.SCHEMES`.
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
    known = [option.name for option in dataset.options]
    for name in options:
        if name not in known:
            raise OptionError(f"{dataset.title} has no {name} (options: {', '.join(known) or '-'})")
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
    if not source.exists():
        raise DataError(source, "does not exist")
    raise DataError(source, "is neither a folder nor an .xml file")

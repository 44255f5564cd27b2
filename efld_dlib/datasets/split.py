"""Choosing what is held out, so that one photograph is never on both sides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

from ..records import ImageRecord

# A prepared crop: the face's number, the photograph's name, and which sample of the face it is.
_CROP = re.compile(r"(?P<index>\d{6}-)(?P<name>.+?)(?:-(?:mirror|\d+))?")
# AFLW's crops, in the form shared for research, are numbered before the photograph's name.
_NUMBERED = re.compile(r"\d{4}-(?P<name>image\d{5})")
# YTF's frames, whose two folders hold the same persons, and CFP's profiles, by person.
_YTF = re.compile(r"((?:.*/)?)(?:training|test)/([^/]+)_\d\d\.\w+")
_CFP = re.compile(r"(.*/)?(\d{3})/profile/\d\d\.\w+")
# AFW and HELEN number the faces of one photograph. More digits are a photograph's own number, as
# LFPW's image_0001.
_FACE_NUMBER = re.compile(r"_\d{1,2}$")

FOLDS = 5
"""Parts into which images without a face are split."""


def choose_photographs(names: Iterable[str], fraction: float, rng: np.random.Generator) -> set[str]:
    """A random `fraction` of the different `names`, rounded; the order given does not matter."""
    unique = sorted(set(names))
    return {unique[i] for i in rng.permutation(len(unique))[: round(fraction * len(unique))]}


def photograph_of(file: str) -> str:
    """Name of the photograph that a picture was cut from, as far as its file name tells.

    Pictures of one face (``000012-134212_1-0.jpg``, ``000012-134212_1-mirror.jpg``) and of several
    faces of one photograph (``134212_1.jpg``, ``134212_2.jpg``) get one name. Joining too much does
    no harm to a split; parting siblings would. For the same reason all frames of a person in YTF
    and all profiles of a person in CFP get one name.

    Parameters
    ----------
    file : str
        A picture's path as it stands in the XML.

    Returns
    -------
    str
        Crops are told from each other by name alone, all other pictures also by their folder.

    Examples
    --------
    >>> photograph_of("crops/000012-134212_1-mirror.jpg")
    '134212'
    >>> photograph_of("afw/134212_2.jpg")
    'afw/134212'
    >>> photograph_of("ytf/test/Some_Person_21.jpg")
    'ytf/Some_Person'
    """
    path = PurePosixPath(file)
    crop = _CROP.fullmatch(path.stem)
    person = None if crop else _YTF.fullmatch(file) or _CFP.fullmatch(file)
    if person:
        return "".join(person.groups(""))
    name = crop["name"] if crop else path.stem
    if numbered := _NUMBERED.match(name):
        name = numbered["name"]
    name = _FACE_NUMBER.sub("", name) or name
    return name if crop else (path.parent / name).as_posix()


def group_of(record: ImageRecord) -> str:
    """What a split must keep together: the person or the photograph that the reader names."""
    return record.photograph or photograph_of(record.path.name)


def is_held_out(group: str, fraction: float, seed: int) -> bool:
    """Whether the faces of a person or a photograph are kept for measuring.

    It follows from the name and the seed alone, so that it is the same whichever other sets are
    read beside.

    Parameters
    ----------
    group : str
        As `group_of` gives it.
    fraction : float
        Part of the groups that is held out, on average.
    seed : int

    Examples
    --------
    >>> sum(is_held_out(f"person {number}", 0.1, 1) for number in range(1000))
    102
    """
    return _share(group, seed) < fraction


def held_out_groups(groups: Iterable[str], fraction: float, seed: int) -> set[str]:
    """Those of the groups that `is_held_out` keeps, but at least one if any are to be kept.

    Examples
    --------
    >>> sorted(held_out_groups(["a", "b", "c", "d"], 0.5, 1))
    ['a', 'b', 'd']
    """
    unique = sorted(set(groups))
    kept = {group for group in unique if is_held_out(group, fraction, seed)}
    if not kept and fraction and unique:
        kept = {min(unique, key=lambda group: _share(group, seed))}
    return kept


def fold_of(name: str, seed: int) -> int:
    """The fifth to which an image without a face belongs, from 1 to `FOLDS`.

    Like `is_held_out`, it follows from the name and the seed alone.

    Parameters
    ----------
    name : str
        The image's path in its folder, with ``/`` between the parts.
    seed : int

    Examples
    --------
    >>> [fold_of(f"{number}.jpg", 1) for number in range(8)]
    [5, 4, 1, 1, 2, 5, 5, 1]
    """
    return int(_share(name, seed) * FOLDS) + 1


def _share(name: str, seed: int) -> float:
    """A number from 0 to below 1 that follows from a name and a seed alone."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48

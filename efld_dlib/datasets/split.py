"""Choosing what is held out, so that one photograph is never on both sides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

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
    numbered = _NUMBERED.match(name)
    if numbered:
        name = numbered["name"]
    name = _FACE_NUMBER.sub("", name) or name
    return name if crop else (path.parent / name).as_posix()

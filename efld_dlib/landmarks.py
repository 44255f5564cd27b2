"""Landmark schemes: which points there are, what they are to each other, and the maps between them.

A scheme is data. Those that come with the package are the TOML files in ``data/schemes``; one of
one's own is a file like them (`find_scheme`), or no more than the names of the parts in an XML.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from .boxes import FloatArray
from .errors import DataError, OptionError
from .files import read_input

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Line: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""From the mean of some landmarks to the mean of others; mostly from one to one."""

# dlib's XML reader does not decode entities, and XML does not keep the others in an attribute.
_NOT_IN_NAMES = frozenset("&<>\"'\t\n\r")
_MOST_POINTS = 10_000


@dataclass(frozen=True, repr=False)
class Scheme:
    """A set of landmarks. What is not known of it is empty or None.

    Parameters
    ----------
    name : str
        What data sets, options and other schemes' maps call it; empty for points that are known by
        the names in an XML alone.
    points : tuple of str
        Name of each landmark in dlib's XML, in the order in which a predictor gives them.
    mirror : tuple of int, optional
        For each landmark, the index of the one that takes its place in a mirror image. Without it,
        nothing is mirrored.
    groups : mapping of str to tuple of int
        Parts of the thing by name.
    edges : tuple of tuple of int
        Lines to draw, each through its landmarks in turn.
    normaliser : Line, optional
        The distance that errors are divided by.
    positions : tuple of (x, y, z), optional
        Of each landmark on the thing at rest, from which its pose is told: x to the image's right,
        y down, z away from the viewer, in any unit.
    face : bool
        Whether the thing is a face, which the toolkit's own detectors find.

    Examples
    --------
    >>> SCHEMES["68"].size, SCHEMES["68"].groups["left_eye"]
    (68, (36, 37, 38, 39, 40, 41))
    >>> leaf = Scheme("leaf", ("base", "left", "right", "tip"), mirror=(0, 2, 1, 3))
    >>> leaf.index("tip")
    3
    """

    name: str
    points: tuple[str, ...]
    mirror: tuple[int, ...] | None = None
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    edges: tuple[tuple[int, ...], ...] = ()
    normaliser: Line | None = None
    positions: tuple[tuple[float, ...], ...] | None = None
    face: bool = False

    def __repr__(self) -> str:
        return f"<{self.title}: {self.size} points>"

    @property
    def size(self) -> int:
        """Number of landmarks."""
        return len(self.points)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.points)}

    @property
    def numbered(self) -> bool:
        """Whether all names are numbers, which may be written with or without leading zeros."""
        return all(map(_is_number, self.points))

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {int(name): place for place, name in enumerate(self.points)}

    @property
    def counted(self) -> bool:
        """Whether the names are the numbers from 0 on."""
        return self.labels == tuple(map(str, range(self.size)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names as tables and features write them: numbers without leading zeros."""
        return tuple(str(int(each)) for each in self.points) if self.numbered else self.points

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        if self.name:
            return f"scheme {self.name}"
        ends = " to ".join(dict.fromkeys((self.points[0], self.points[-1])))
        return f"the data's own scheme ({ends})"

    @property
    def range(self) -> str:
        """What its landmarks are called, in a few words."""
        ends = " to ".join(dict.fromkeys((self.points[0], self.points[-1])))
        return f"the {self.size} points of {self.name or 'the file'} are {ends}"

    def index(self, name: str) -> int | None:
        """Place of a landmark among the others; None if there is none of that name."""
        place = self._places.get(name)
        if place is None and _is_number(name) and self.numbered:
            return self._numbers.get(int(name))
        return place

    def find(self, reference: str) -> list[int]:
        """Places of the landmarks that a name or a range ``first..last`` refers to.

        Raises
        ------
        OptionError
            There is no such landmark.
        """
        if (place := self.index(reference)) is not None:
            return [place]
        first, dots, last = reference.partition("..")
        start, end = self.index(first), self.index(last)
        if not dots or start is None or end is None:
            raise OptionError(f"'{reference}' is no landmark of {self.title}")
        step = 1 if end >= start else -1
        return list(range(start, end + step, step))

    def select(self, places: Sequence[int]) -> Scheme:
        """The scheme of some of the landmarks, in the order of `places`.

        It keeps its name, since the points are still the same ones of the thing.
        """
        if list(places) == list(range(self.size)):
            return self
        new = {old: place for place, old in enumerate(places)}
        whole = self.mirror is not None and all(self.mirror[old] in new for old in places)
        line = self.normaliser
        return Scheme(
            self.name,
            tuple(self.points[old] for old in places),
            tuple(new[self.mirror[old]] for old in places) if whole and self.mirror else None,
            {
                name: kept
                for name, group in self.groups.items()
                if (kept := tuple(new[old] for old in group if old in new))
            },
            tuple(
                (new[start], new[end])
                for edge in self.edges
                for start, end in pairwise(edge)
                if start in new and end in new
            ),
            line
            and (
                (tuple(new[old] for old in line[0]), tuple(new[old] for old in line[1]))
                if new.keys() >= {*line[0], *line[1]}
                else None
            ),
            self.positions and tuple(self.positions[old] for old in places),
            self.face,
        )

    def state(self) -> str | dict[str, Any]:
        """The scheme in plain types for JSON, from which `read_scheme` makes it again.

        One that comes with the package is its name.
        """
        known = SCHEMES.get(self.name)
        if known == self:
            return self.name
        if known is not None and set(self.points) <= set(known.points):
            return {"name": self.name, "points": list(self.points)}
        line, names = self.normaliser, self._names
        mirror = self.mirror
        pairs = (
            None
            if mirror is None
            else [
                [self.points[one], self.points[other]]
                for one, other in enumerate(mirror)
                if one < other
            ]
        )
        stated: dict[str, Any] = {
            "name": self.name,
            "points": list(self.points),
            "face": self.face,
            "mirror": pairs,
            "groups": {name: names(group) for name, group in self.groups.items()},
            "edges": [names(edge) for edge in self.edges],
            "normaliser": line and [names(end) for end in line],
            "positions": self.positions
            and {name: list(at) for name, at in zip(self.points, self.positions, strict=True)},
        }
        return {key: value for key, value in stated.items() if value is not None}

    def _names(self, places: Sequence[int]) -> list[str]:
        return [self.points[place] for place in places]

    def __reduce__(self) -> Any:
        return read_scheme, (self.state(),)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10


def numbered_scheme(size: int, name: str = "") -> Scheme:
    """A scheme of which nothing is known but the number of its landmarks.

    Examples
    --------
    >>> numbered_scheme(12).points[-1]
    '11'
    """
    return Scheme(name, _numbers(size))


def _numbers(size: int) -> tuple[str, ...]:
    # As dlib sorts names as strings, they all have as many digits.
    digits = max(2, len(str(size - 1)))
    return tuple(f"{number:0{digits}d}" for number in range(size))


_FIELDS = ("name", "points", "face", "mirror", "groups", "edges", "normaliser", "positions")


def read_scheme(stated: object) -> Scheme:
    """The scheme that a JSON or TOML value describes.

    Parameters
    ----------
    stated : str or mapping
        The name of one that comes with the package, or its fields. ``points`` is a list of names or
        a number of them; elsewhere landmarks are told by their names, or by ``first..last``:

        - ``mirror``: list of pairs that take each other's place; all others keep theirs;
        - ``groups``: lists of landmarks by name; ``edges``: lists of landmarks to draw lines
          through;
        - ``normaliser``: pair of landmarks, or of lists of which the means count;
        - ``positions``: ``[x, y, z]`` by name; ``face``: true or false.

        A name that comes with the package, with some of its points, is that part of it.

    Raises
    ------
    OptionError
        It is none; says what is wrong.

    Examples
    --------
    >>> leaf = read_scheme({"name": "leaf", "points": ["base", "l", "r"], "mirror": [["l", "r"]]})
    >>> leaf.mirror
    (0, 2, 1)
    """
    if isinstance(stated, str):
        if stated not in SCHEMES:
            known = ", ".join(SCHEMES)
            raise OptionError(f"there is no scheme '{stated}'; choose {known}, or a .toml file")
        return SCHEMES[stated]
    if not isinstance(stated, Mapping):
        raise OptionError(f"a scheme is a name or a table, not {stated!r:.60}")
    if unknown := [key for key in stated if key not in _FIELDS]:
        raise OptionError(f"a scheme has no '{unknown[0]}'; it has {', '.join(_FIELDS)}")
    name, points = stated.get("name", ""), _point_names(stated.get("points"))
    if not isinstance(name, str):
        raise OptionError(f"the name of a scheme is a text, not {name!r:.60}")
    face = stated.get("face", False)
    if not isinstance(face, bool):
        raise OptionError(f"'face' of a scheme is true or false, not {face!r:.60}")
    built_in = _BUILT_IN.get(name)
    if built_in is not None:
        if not set(points) <= set(built_in.points) or stated.keys() - {"name", "points"}:
            raise OptionError(f"scheme {name} comes with the toolkit: give yours another name")
        return built_in.select([built_in.points.index(each) for each in points])
    bare = Scheme(name, points)
    return Scheme(
        name,
        points,
        None if stated.get("mirror") is None else _mirror(bare, stated["mirror"]),
        {group: _chain(bare, names) for group, names in _table(stated, "groups").items()},
        tuple(_chain(bare, names) for names in _list(stated.get("edges", []), "edges")),
        _line(bare, stated.get("normaliser")),
        _positions(bare, _table(stated, "positions")),
        face,
    )


def _point_names(points: object) -> tuple[str, ...]:
    if isinstance(points, int) and points is not True and 1 <= points <= _MOST_POINTS:
        return _numbers(points)
    if not isinstance(points, list) or not 1 <= len(points) <= _MOST_POINTS:
        raise OptionError(f"a scheme needs its points: a list of 1 to {_MOST_POINTS} names")
    for name in points:
        if (
            not isinstance(name, str)
            or not name.isprintable()
            or not _NOT_IN_NAMES.isdisjoint(name)
        ):
            raise OptionError(f"dlib's XML cannot hold {name!r:.60} as the name of a landmark")
    if len(set(points)) < len(points):
        twice = next(name for name in points if points.count(name) > 1)
        raise OptionError(f"the landmark '{twice}' stands twice in the scheme")
    if all(map(_is_number, points)) and len(set(map(int, points))) < len(points):
        raise OptionError("two landmarks of the scheme are the same number, as 7 and 07 are")
    return tuple(points)


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise OptionError(f"the {what} of a scheme are a list, not {value!r:.60}")
    return value


def _table(stated: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    table = stated.get(what, {})
    if not isinstance(table, Mapping):
        raise OptionError(f"the {what} of a scheme are a table, not {table!r:.60}")
    return table


def _chain(scheme: Scheme, names: object) -> tuple[int, ...]:
    listed = [names] if isinstance(names, str) else _list(names, "landmarks of a part")
    return tuple(place for name in listed for place in scheme.find(str(name)))


def _mirror(scheme: Scheme, pairs: object) -> tuple[int, ...]:
    mirror = list(range(scheme.size))
    for pair in _list(pairs, "mirror pairs"):
        ends = [_chain(scheme, end) for end in _list(pair, "mirror pairs")]
        if len(ends) != 2 or len(ends[0]) != len(ends[1]):
            raise OptionError(f"{pair!r:.60} is no pair of landmarks that mirror each other")
        for one, other in zip(*ends, strict=True):
            if mirror[one] != one or mirror[other] != other:
                raise OptionError(f"{pair!r:.60} mirrors a landmark that has its partner already")
            mirror[one], mirror[other] = other, one
    return tuple(mirror)


def _line(scheme: Scheme, ends: object) -> Line | None:
    if ends is None:
        return None
    listed = _list(ends, "ends of the normaliser")
    if len(listed) != 2:
        raise OptionError("the normaliser of a scheme is the distance of two ends")
    one, other = _chain(scheme, listed[0]), _chain(scheme, listed[1])
    if not one or not other or set(one) == set(other):
        raise OptionError("the normaliser of a scheme is the distance of two different ends")
    return one, other


def _positions(scheme: Scheme, table: Mapping[str, Any]) -> tuple[tuple[float, ...], ...] | None:
    if not table:
        return None
    if unknown := [name for name in table if name not in scheme.points]:
        raise OptionError(f"'{unknown[0]}' has a position, but is no landmark of {scheme.title}")
    try:
        places = np.array([table[name] for name in scheme.points], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError(
            f"the positions of a scheme are x, y, z of each landmark, all in numbers ({error})"
        ) from None
    if places.shape != (scheme.size, 3) or not np.isfinite(places).all():
        raise OptionError("the positions of a scheme are three numbers for each landmark")
    return tuple(map(tuple, places.tolist()))


def find_scheme(name: str | Path) -> Scheme:
    """The scheme of that name, or in that ``.toml`` file.

    Raises
    ------
    OptionError
        There is no such scheme, or the file describes none.
    DataError
        The file cannot be read.
    """
    if not str(name).endswith(".toml"):
        return read_scheme(str(name))
    text = read_input(name, DataError)
    try:
        return read_scheme(tomllib.loads(text.decode("utf-8")))
    except (ValueError, OptionError) as error:
        raise OptionError(f"{name}: {error}") from error


_BUILT_IN: dict[str, Scheme] = {}
SCHEMES: Mapping[str, Scheme] = _BUILT_IN
"""The schemes that come with the package, by name."""

for _file in ("68", "21", "19", "98", "5", "81", "106", "194"):
    _text = files("efld_dlib.data").joinpath("schemes", f"{_file}.toml").read_text("utf-8")
    _BUILT_IN[_file] = read_scheme(tomllib.loads(_text))

FACE_68 = SCHEMES["68"]
GROUPS_68 = FACE_68.groups
MIRROR_68: tuple[int, ...] = FACE_68.mirror or ()

# The five named points of the paper's Table 1.
LEFT_EYE_OUTER = 36
RIGHT_EYE_OUTER = 45
NOSE_TIP = 30
LEFT_MOUTH_CORNER = 48
RIGHT_MOUTH_CORNER = 54

FIVE_POINTS = (LEFT_EYE_OUTER, RIGHT_EYE_OUTER, NOSE_TIP, LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER)


def mirror_points(points: FloatArray, width: float, scheme: Scheme = FACE_68) -> FloatArray:
    """Landmarks of a thing in the mirror image of its picture.

    Parameters
    ----------
    points : array, shape (..., n, 2)
        Landmarks in pixels of a picture `width` pixels wide.
    width : float
        Width of the picture in pixels.
    scheme : Scheme
        The points' scheme, whose mirror image is known.

    Returns
    -------
    array, shape (..., n, 2)
        x becomes ``width - 1 - x``, and each landmark takes its partner's place; doing it twice
        gives the points back.

    Examples
    --------
    The left eye's outer corner becomes the right one's:

    >>> points = np.zeros((68, 2))
    >>> points[LEFT_EYE_OUTER] = 30, 40
    >>> mirror_points(points, width=100)[RIGHT_EYE_OUTER].tolist()
    [69.0, 40.0]
    """
    assert scheme.mirror is not None
    mirrored = points[..., list(scheme.mirror), :]
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return mirrored


# AFLW's 21 landmarks that 300-W has too: corners and middles of the brows, eye corners, wings and
# tip of the nose, mouth corners, chin. 300-W has no centre of an eye or of the mouth, and no ear.
# On the 16 faces of AFLW2000-3D at hand, which give both, the pairs lie a median of 2 to 4 % of
# the face's size apart, and each is the nearest that there is.
AFLW_21_TO_68: dict[int, int] = {
    **{0: 17, 1: 19, 2: 21, 3: 22, 4: 24, 5: 26},
    **{6: 36, 8: 39, 9: 42, 11: 45},
    **{13: 31, 14: 30, 15: 35},
    **{17: 48, 19: 54, 20: 8},
}

# Zhu et al., "Unconstrained Face Alignment via Cascaded Compositional Learning", CVPR 2016: all
# but the ears, ids 13 and 17.
AFLW_21_TO_19: dict[int, int] = {
    old: new for new, old in enumerate(index for index in range(21) if index not in (12, 16))
}

# The map in common use with WFLW (HRNet, AdaptiveWing and their users): every other point of the
# jaw, the upper edges of the brows, six of each eye's eight points, nose and mouth whole.
WFLW_98_TO_68: dict[int, int] = {
    **{2 * i: i for i in range(17)},
    **{33 + i: 17 + i for i in range(5)},
    **{42 + i: 22 + i for i in range(5)},
    **{51 + i: 27 + i for i in range(9)},
    **{60: 36, 61: 37, 63: 38, 64: 39, 65: 40, 67: 41},
    **{68: 42, 69: 43, 71: 44, 72: 45, 73: 46, 75: 47},
    **{76 + i: 48 + i for i in range(20)},
}

# What the two have in common: all of AFLW-19 but the centres of the eyes and of the mouth.
AFLW_19_TO_68: dict[int, int] = {
    AFLW_21_TO_19[old]: new for old, new in AFLW_21_TO_68.items() if old in AFLW_21_TO_19
}

# In common use with LaPa's points: every other point of the jaw, the upper edges of the brows, six
# of each eye's eight points, the middle of the nose's lower edge, the mouth whole.
LAPA_106_TO_68: dict[int, int] = {
    **{2 * i: i for i in range(17)},
    **{33 + i: 17 + i for i in range(5)},
    **{42 + i: 22 + i for i in range(5)},
    **{51 + i: 27 + i for i in range(4)},
    **{58 + i: 31 + i for i in range(5)},
    **{66: 36, 67: 37, 69: 38, 70: 39, 71: 40, 73: 41},
    **{75: 42, 76: 43, 78: 44, 79: 45, 80: 46, 82: 47},
    **{84 + i: 48 + i for i in range(20)},
}

# Eye corners and the nose's base.
FIVE_TO_68: dict[int, int] = {0: 45, 1: 42, 2: 36, 3: 39, 4: 33}

MAPS: dict[tuple[str, str], Mapping[int, int]] = {
    ("21", "68"): AFLW_21_TO_68,
    ("21", "19"): AFLW_21_TO_19,
    ("19", "68"): AFLW_19_TO_68,
    ("98", "68"): WFLW_98_TO_68,
    ("106", "68"): LAPA_106_TO_68,
    ("81", "68"): {i: i for i in range(68)},
    ("5", "68"): FIVE_TO_68,
    ("68", "5"): {old: new for new, old in FIVE_TO_68.items()},
}
"""From (scheme, other scheme) to: index in the scheme -> index in the other."""


def correspondence(source: Scheme, target: Scheme) -> dict[int, int] | None:
    """Which landmark of `target` each landmark of `source` is; None if they have nothing to do
    with each other.

    They have if they bear the same name, if there is a map in `MAPS`, or if one of them bears none
    and all its names are in the other. Numbers alone say nothing: then all must be the same.

    Examples
    --------
    >>> correspondence(SCHEMES["5"], SCHEMES["68"])
    {0: 45, 1: 42, 2: 36, 3: 39, 4: 33}
    >>> eyes = SCHEMES["68"].select(range(36, 48))
    >>> correspondence(eyes, SCHEMES["68"])[0]
    36
    """
    if source.name != target.name and (pair := (source.name, target.name)) in MAPS:
        ours, theirs = (SCHEMES[name].points for name in pair)
        known = {ours[old]: theirs[new] for old, new in MAPS[pair].items()}
    elif _same_thing(source, target):
        known = {name: name for name in source.points}
    else:
        return None
    found = {
        place: other
        for place, name in enumerate(source.points)
        if name in known and (other := target.index(known[name])) is not None
    }
    return found or None


def _same_thing(one: Scheme, other: Scheme) -> bool:
    if one.name and other.name:
        return one.name == other.name
    smaller, larger = sorted((one, other), key=lambda scheme: scheme.size)
    inside = all(larger.index(name) is not None for name in smaller.points)
    return inside and (smaller.size == larger.size or not smaller.numbered)

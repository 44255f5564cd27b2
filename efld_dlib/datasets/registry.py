"""The data sets that the toolkit reads: a new one is a reader beside this file, and a line here."""

from __future__ import annotations

from ..landmarks import SCHEMES
from ..xml.imglab import read_imglab_checked
from .aflw import read_aflw
from .aflw19 import read_aflw19
from .aflw2000 import read_aflw2000
from .base import DataSet, ReaderOption
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

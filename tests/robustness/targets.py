"""The table of what the harness damages and runs; a new reader or command is one entry in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import commands, readers, self_test
from .mutations import (
    Random,
    damaged_bytes,
    damaged_efld,
    damaged_json,
    damaged_mat,
    damaged_picture,
    damaged_sqlite,
    damaged_text,
    damaged_xml,
    noise,
)

Damage = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Target:
    """A reader or command, and what of its input is damaged.

    Parameters
    ----------
    name : str
    files : str
        Glob in the samples; a case damages one of the files.
    damage : callable
        Bytes and generator to damaged bytes.
    run : callable
        Takes the samples' folder and the damaged file; returns the outcome, or raises `Failure`.
    share : float
        Of the cases, beside the others'.
    """

    name: str
    files: str
    damage: Damage
    run: Callable[[Path, Path], str]
    share: float = 1.0


def _picture(data: bytes, rng: Random) -> bytes:
    return noise(data, rng) if rng.random() < 0.1 else damaged_picture(data, rng)


def _odd_picture(data: bytes, rng: Random) -> bytes:
    # These are odd enough as they are.
    return data if rng.random() < 0.5 else _picture(data, rng)


def _model(data: bytes, rng: Random) -> bytes:
    damage = damaged_efld if data.startswith(b"\x89EFLD") else damaged_bytes
    return noise(data, rng) if rng.random() < 0.05 else damage(data, rng)


READERS = (
    Target("picture", "pictures/p.*", _picture, readers.picture, 10),
    Target("picture-dlib", "pictures/p.[jpb]*", _picture, readers.picture_dlib, 6),
    Target("picture-odd", "pictures/odd/*", _odd_picture, readers.picture, 8),
    Target("picture-odd-dlib", "pictures/odd/*", _odd_picture, readers.picture_dlib, 4),
    Target("pts", "w300/*.pts", damaged_text, readers.pts, 5),
    Target("300w", "w300/*.pts", damaged_text, readers.data_set("300w", "w300"), 2),
    Target("300w-boxes", "w300/*/*.mat", damaged_mat, readers.data_set("300w", "w300"), 3),
    Target("imglab", "faces.xml", damaged_xml, readers.imglab, 10),
    Target("xml-stream", "faces.xml", damaged_xml, readers.xml_check, 8),
    Target("aflw", "aflw/data/*.sqlite", damaged_sqlite, readers.data_set("aflw", "aflw"), 4),
    Target("aflw19", "aflw19/*.mat", damaged_mat, readers.data_set("aflw19", "aflw19"), 4),
    Target("aflw2000", "aflw2000/*.mat", damaged_mat, readers.data_set("aflw2000", "aflw2000"), 4),
    Target("cofw68", "cofw/*.mat", damaged_mat, readers.data_set("cofw68", "cofw"), 3),
    Target("merl-rav", "merl/*.pts", damaged_text, readers.data_set("merl-rav", "merl"), 2),
    Target("wflw", "wflw/*.txt", damaged_text, readers.data_set("wflw", "wflw"), 3),
    Target(
        "facesynthetics",
        "synthetics/*.txt",
        damaged_text,
        readers.data_set("facesynthetics", "synthetics"),
        2,
    ),
    Target("ytf", "ytf/*.csv", damaged_text, readers.data_set("ytf", "ytf"), 3),
    Target("cfp", "cfp/Fiducials/*/*/*.txt", damaged_text, readers.data_set("cfp", "cfp"), 2),
    Target("dat", "models/*.dat", _model, readers.model, 8),
    Target("efld", "models/*.efld", _model, readers.model, 8),
    Target("network", "networks/faces.*", _model, readers.network, 5),
    Target("options", "options.txt", damaged_text, readers.options, 6),
)

COMMANDS = (
    Target("detect", "pictures/p.*", _picture, commands.detect_among_others, 3),
    Target("detect-one", "pictures/p.*", _picture, commands.detect_one, 2),
    Target("detect-odd", "pictures/odd/*", _odd_picture, commands.detect_one, 3),
    Target("detect-model", "models/full.*", _model, commands.detect_model, 2),
    Target("detect-names", "pictures/p.jpg", _picture, commands.detect_names, 2),
    Target("extract", "pictures/p.*", _picture, commands.extract, 1),
    Target("extract-odd", "pictures/odd/*", _odd_picture, commands.extract_one, 1.5),
    Target("video", "videos/*", damaged_bytes, commands.video, 1),
    Target("prepare", "w300/*.*", damaged_text, commands.prepare, 1),
    Target("prepare-resume", "training/*.sqlite", damaged_sqlite, commands.prepare_again, 0.5),
    Target("train", "training/train.xml", damaged_xml, commands.train, 0.25),
    Target("evaluate", "faces.xml", damaged_xml, commands.evaluate, 0.7),
    Target("evaluate-model", "models/full.*", _model, commands.evaluate, 0.7),
    Target("model-info", "models/*.*", _model, commands.model("info"), 2),
    Target("model-expand", "models/*.*", _model, commands.model("expand"), 1),
    Target("model-slim", "models/*.*", _model, commands.model("expand", "--slim"), 1),
    Target("model-subset", "models/*.*", _model, commands.model("expand", "--points", "0,2-3"), 1),
    Target("model-compress", "models/*.*", _model, commands.compress, 0.7),
    Target("model-report", "models/full.json", damaged_json, commands.model_report, 0.5),
    Target("xml-info", "faces.xml", damaged_xml, commands.xml_info, 1.5),
    Target("xml-check", "faces.xml", damaged_xml, commands.xml_check, 2),
    Target("xml-view", "faces.xml", damaged_xml, commands.xml_view, 1.5),
    Target("xml-merge", "faces.xml", damaged_xml, commands.xml_merge, 2),
    Target("xml-split", "faces.xml", damaged_xml, commands.xml_split, 2),
    *(
        Target(f"xml-{name}", files, damage, commands.convert(name, root), 1)
        for name, root, files, damage in (
            ("300w", "w300", "w300/*.pts", damaged_text),
            ("aflw", "aflw", "aflw/data/*.sqlite", damaged_sqlite),
            ("aflw19", "aflw19", "aflw19/*.mat", damaged_mat),
            ("aflw2000", "aflw2000", "aflw2000/*.mat", damaged_mat),
            ("cofw68", "cofw", "cofw/*.mat", damaged_mat),
            ("merl-rav", "merl", "merl/*.pts", damaged_text),
            ("wflw", "wflw", "wflw/*.txt", damaged_text),
            ("facesynthetics", "synthetics", "synthetics/*.txt", damaged_text),
            ("ytf", "ytf", "ytf/*.csv", damaged_text),
            ("cfp", "cfp", "cfp/Fiducials/*/*/*.txt", damaged_text),
            ("imglab", "faces.xml", "faces.xml", damaged_xml),
        )
    ),
)

TARGETS = {target.name: target for target in (*READERS, *COMMANDS)}
"""By name."""

SELF_TEST = {
    f"self-{run.__name__}": Target(f"self-{run.__name__}", "w300/*.pts", damaged_text, run)
    for run in (self_test.die, self_test.hang, self_test.memory, self_test.fail, self_test.nameless)
}
"""What the harness must notice, by name."""

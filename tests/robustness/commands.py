"""Commands of the toolkit, run on a damaged file among sound ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

from .judge import Failure, run_command
from .mutations import damaged_name

_QUICK = ("--detector", "dlib=0")
_TRAINING = (
    *("--set", "cascade_depth=1", "--set", "num_trees_per_cascade_level=2", "-j", "1"),
    *(
        "--set",
        "oversampling_amount=2",
        "--set",
        "tree_depth=2",
        "--set",
        "slim=false",
        "--set",
        "refit=0",
    ),
)


def outcome(result: Result) -> str:
    """By the exit code."""
    return ("read", "skipped", "refused")[result.exit_code]


def detect_among_others(root: Path, path: Path) -> str:
    """The folder of pictures: each has its line, and only the damaged one may have an error."""
    names = ["p.jpg", "p.png", path.name]
    files = [str(path.parent / name) for name in names]
    model = str(root / "models" / "full.dat")
    result = run_command(["detect", *files, "-m", model, "--format", "jsonl", *_QUICK], ())
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    if len(lines) != len(names):
        raise Failure(f"{len(lines)} results of {len(names)} pictures")
    for name, line in zip(names, lines, strict=True):
        if "error" in line and name != path.name:
            raise Failure(f"{name}: {line['error']}")
    return outcome(result)


def detect_one(root: Path, path: Path) -> str:
    """One picture, and the drawing of it, to files."""
    output = root / "out" / "faces.csv"
    arguments = ["detect", str(path), "-o", str(output), "--annotate", str(root / "drawn")]
    model = str(root / "models" / "full.efld")
    return outcome(run_command([*arguments, "-m", model, *_QUICK], (path.name,), output))


def detect_model(root: Path, path: Path) -> str:
    """A damaged model."""
    output = root / "out" / "faces.json"
    arguments = ["detect", str(root / "pictures" / "p.jpg"), "-o", str(output), "-m", str(path)]
    return outcome(run_command([*arguments, *_QUICK], (path.name, "Detector"), output))


def detect_names(root: Path, path: Path) -> str:
    """A folder with a picture of an odd name in it, to every format."""
    folder = root / "odd"
    folder.mkdir()
    rng = np.random.default_rng(len(path.read_bytes()))
    name = damaged_name(rng).replace("/", "_")
    shutil.copy(path, folder / f"{name}.jpg")
    outcomes = []
    for kind in ("json", "jsonl", "csv"):
        output = root / "out" / f"faces.{kind}"
        arguments = ["detect", str(folder), "-m", str(root / "models" / "full.dat"), *_QUICK]
        arguments += ["--annotate", str(root / "drawn")]
        run_command(arguments, (".jpg",))
        result = run_command([*arguments, "-o", str(output)], (".jpg",), output)
        outcomes.append(outcome(result))
        if result.exit_code != 2:
            output.read_text(encoding="utf-8")
    shutil.rmtree(folder)
    return outcomes[0]


def extract(root: Path, path: Path) -> str:
    """A table of the folder of pictures: each has its row, the damaged one perhaps an error."""
    output = root / "out" / "faces.jsonl"
    names = ["p.jpg", "p.png", path.name]
    files = [str(path.parent / name) for name in names]
    model = ("-m", str(root / "models" / "full.dat"))
    result = run_command(["extract", *files, *model, "-j", "1", *_QUICK, "-o", str(output)], ())
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    if {Path(row["file"]).name for row in rows} != set(names):
        raise Failure(f"{len(rows)} rows of {len(names)} pictures")
    wrong = [row for row in rows if row["error"] and Path(row["file"]).name != path.name]
    if wrong:
        raise Failure(f"{wrong[0]['file']}: {wrong[0]['error']}")
    return outcome(result)


def extract_one(root: Path, path: Path) -> str:
    """A table of one picture: of it there is a row, whatever it is."""
    output = root / "out" / "one.jsonl"
    model = ("-m", str(root / "models" / "full.dat"))
    result = run_command(["extract", str(path), *model, "-j", "1", *_QUICK, "-o", str(output)], ())
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    if not rows or any(Path(row["file"]).name != path.name for row in rows):
        raise Failure(f"{len(rows)} rows of one picture")
    return outcome(result)


def video(root: Path, path: Path) -> str:
    """A damaged video, to a table and to a video with the faces drawn."""
    output = root / "out" / "faces.csv"
    model = ("-m", str(root / "models" / "full.dat"), "--detector", "dlib")
    drawn = ("-o", str(root / "out" / "drawn.avi"))
    arguments = ["video", str(path), *model, *drawn, "--max-frames", "4", "-o", str(output)]
    return outcome(run_command(arguments, (path.name,), output))


def prepare(root: Path, path: Path) -> str:
    """Training data of a tree in which a picture or its landmarks are damaged."""
    output = root / "prepared"
    arguments = ["prepare", str(root / "w300"), "-o", str(output), "--variants", "1", "-j", "1"]
    result = run_command(arguments, (path.name, "prepared", "w300"))
    if result.exit_code != 2 and not (output / "train.xml").is_file():
        raise Failure("no train.xml")
    return outcome(result)


def prepare_again(root: Path, path: Path) -> str:
    """The same over an earlier run's files, of which the cache is damaged: they are made anew."""
    shutil.copytree(path.parent, root / "prepared", dirs_exist_ok=True)
    got = prepare(root, path)
    if got != "read":
        raise Failure(f"{got}, though a cache is nothing that is needed")
    return got


def train(root: Path, path: Path) -> str:
    """Training on a damaged XML."""
    output = root / "out" / "model.dat"
    arguments = ["train", str(path), "-o", str(output), *_TRAINING]
    return outcome(run_command(arguments, (path.name, "crops-"), output))


def evaluate(root: Path, path: Path) -> str:
    """Measuring with a damaged model or on damaged data."""
    output = root / "out" / "figures.json"
    arguments = ["evaluate", str(root / "models" / "full.dat"), str(root / "models" / "full.efld")]
    arguments += [str(root / "faces.xml"), "--boxes", "file", "--resamples", "10", "-j", "1"]
    arguments = [*dict.fromkeys(arguments)]
    arguments[1] = f"b={arguments[1]}"
    arguments += ["-o", str(output), "-o", str(root / "report")]
    return outcome(run_command(arguments, (path.name,), output))


def model(name: str, *options: str) -> Callable[[Path, Path], str]:
    """A command of `efld-dlib model` that reads one file."""

    def run(root: Path, path: Path) -> str:
        if name == "info":
            return outcome(run_command(["model", name, str(path)], (path.name,)))
        output = root / "out" / "written.dat"
        arguments = ["model", name, str(path), "-o", str(output), *options]
        return outcome(run_command(arguments, (path.name, "points"), output))

    return run


def model_report(root: Path, path: Path) -> str:
    """The report beside a model: it is looked at all the same, and never compressed without it."""
    for options in ([], ["--json"]):
        shown = run_command(["model", "info", str(path.with_suffix(".dat")), *options], ())
        if shown.exit_code:
            raise Failure(f"info: {shown.stderr[-300:]}")
    return compress(root, path)


def compress(root: Path, path: Path) -> str:
    """A damaged model, or the report beside it."""
    output = root / "out" / "written.efld"
    source = root / "models" / "full.dat" if path.suffix == ".json" else path
    arguments = ["model", "compress", str(source), "-o", str(output), "--step", "1e-3"]
    return outcome(run_command(arguments, (path.name,), output))


def xml_info(root: Path, path: Path) -> str:
    """Counts."""
    output = root / "out" / "info.json"
    arguments = ["xml", "info", str(path), "-o", str(output)]
    return outcome(run_command(arguments, (path.name, "scheme"), output))


def xml_check(root: Path, path: Path) -> str:
    """Problems."""
    return outcome(run_command(["xml", "check", str(path), "-j", "1"], (path.name, "scheme")))


def xml_view(root: Path, path: Path) -> str:
    """A page of the faces: whatever names are in it, there is no markup of theirs in the page."""
    output = root / "out" / "sheet.html"
    arguments = ["xml", "view", str(path), "-o", str(output), "--order", "worst"]
    result = run_command(arguments, (path.name,), output)
    if result.exit_code != 2 and "<script" in output.read_text(encoding="utf-8"):
        raise Failure("a name became markup")
    return outcome(result)


def xml_merge(root: Path, path: Path) -> str:
    """Joined with a sound one."""
    output = root / "out" / "both.xml"
    sound = root / "training" / "train.xml"
    arguments = ["xml", "merge", str(sound), str(path), "-o", str(output)]
    return outcome(run_command(arguments, (path.name, "both.xml"), output))


def xml_split(root: Path, path: Path) -> str:
    """Parted in two."""
    output = root / "out" / "a.xml"
    arguments = ["xml", "split", str(path), "--train", str(output), "--fraction", "0.5"]
    arguments += ["--held-out", str(root / "b.xml")]
    return outcome(run_command(arguments, (path.name, "a.xml", "b.xml"), output))


def convert(name: str, source: str) -> Callable[[Path, Path], str]:
    """A data set to dlib's XML; what is sound of it must be there."""

    def run(root: Path, path: Path) -> str:
        output = root / "out" / "made.xml"
        arguments = ["xml", "convert", f"{name}:{root / source}", "-o", str(output)]
        result = run_command(arguments, (path.name, str(root / source)), output)
        # A data set has several files, dlib's XML but one.
        if result.exit_code != 2 and name != "imglab" and b"<box " not in output.read_bytes():
            raise Failure("no face was written")
        return outcome(result)

    return run

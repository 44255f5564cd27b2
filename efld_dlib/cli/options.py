"""Options and small services that several commands share.

The command modules import the parts of the toolkit that pull in OpenCV and dlib inside their
functions, so that ``--help`` answers at once.
"""

from __future__ import annotations

import codecs
import glob
import math
import os
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, OptionError, Problems

if TYPE_CHECKING:
    from ..datasets.base import FolderCount
    from ..records import ImageRecord

Command = Callable[..., Any]

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
POSITIVE = click.IntRange(min=1)
FOLD = click.IntRange(1, 5)
SEED = click.IntRange(min=0)
"""NumPy's generators take no other."""


class NumberRange(click.FloatRange):
    """As click's, which takes NaN for a number in any range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


FRACTION = NumberRange(0, 1, max_open=True)


STDIN = "-"
"""An image on stdin, where a command takes one."""

sources_argument = click.argument("sources", nargs=-1, required=True, type=PATH)
output_option = click.option("-o", "--output", required=True, type=PATH, help="File to write.")
jobs_option = click.option(
    "-j", "--jobs", type=POSITIVE, help="Number of processes [default: one per core]."
)
strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Stop at the first input that cannot be used (exit code 2) instead of skipping it.",
)
subset_option = click.option(
    "--subset",
    default="train",
    help="Subset of a 300-W tree: train, test-common, test-challenging, test-full, or a folder in "
    "it such as helen/testset.",
)
measured_subset_option = click.option(
    "--subset",
    help="Subset to measure: of a 300-W tree train, test-common, test-challenging, test-full, or a "
    "folder in it such as helen/testset [default: the whole test part; everything if the data set "
    "has no test part; the training part with --held-out].",
)
measured_part_option = click.option(
    "--held-out",
    type=FRACTION,
    default=0.0,
    help="Fraction of the persons and photographs that `prepare` and `network train` hold out with "
    "the same seed: only these are measured. 0 measures everything.",
)
seed_option = click.option("--seed", type=SEED, default=1, help="Random seed.")
every_option = click.option("--every", type=POSITIVE, default=1, help="Use only every Nth image.")
labels_option = click.option(
    "--labels",
    type=FILE,
    metavar="FILE",
    help="File with labels for images that it knows by their content, such as "
    "tools/labels/consensus.xz; they replace the data set's own. Faces that it rejects are left "
    "out.",
)
json_option = click.option(
    "-o", "--output", "json_file", type=FILE, help="JSON file for the result."
)
model_option = click.option(
    "-m",
    "--model",
    type=PATH,
    help="Model, .dat or .efld, of any points [default: the model of the package].",
)
scheme_option = click.option(
    "--scheme",
    metavar="NAME|FILE.toml",
    help="What the landmarks are: 68, 5, 19, 21, 81, 98, 106, 194 or a file that says it [default: "
    "what the data or the model says].",
)
features_option = click.option(
    "--features",
    default="default",
    help="Features, comma separated: names, pairs of landmarks (36-45), ratios (36-45/30-48), "
    "angles (angle:36-45).",
)
detector_option = click.option(
    "--detector",
    help="Detector: fast finds faces of any yaw; thorough also faces turned in the image, "
    "even upside down; dlib is dlib's frontal detector, which doubles an image in which it finds "
    "nothing (dlib=1 doubles every image once); also lbp, yunet=FILE.onnx, dlib-cnn=FILE.dat; "
    "FILE.svm is one of `train --detector` [default: fast, for models of faces].",
)
min_score_option = click.option(
    "--min-score",
    "--threshold",
    "min_score",
    type=float,
    help="Lowest score of a face: between 0 and 1 for fast and thorough [default: 0.5, among "
    "three or more sure faces 0.3], on its own scale for dlib [default: 0].",
)
min_face_option = click.option(
    "--min-face",
    metavar="SIZE",
    help="Width of the smallest face to find, in pixels (12 or more) or as 10% of the image's "
    "shorter side: the larger, the faster. Landmarks come from the full image all the same "
    "[default: 20 pixels or a sixtieth of the longer side, whichever is larger].",
)
quality_option = click.option(
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    help="Landmark quality: fast takes a third of the time, best four times as long.",
)
point_confidence_option = click.option(
    "--point-confidence",
    is_flag=True,
    help="Also write how likely each landmark is right and visible: point_confidence in JSON, "
    "columns c_0 to c_67 in tables.",
)
detect_every_option = click.option(
    "--detect-every",
    type=POSITIVE,
    default=30,
    metavar="N",
    help="Number of frames after which new faces are looked for while all known ones are followed.",
)


def _stacked(*options: Command) -> Command:
    """One decorator for several options, in the order of the help."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


video_options = _stacked(
    model_option,
    features_option,
    detector_option,
    min_score_option,
    quality_option,
    point_confidence_option,
    scheme_option,
)
"""The options whose values make an `ExtractSettings`, and which are for videos too."""

detection_options = _stacked(video_options, min_face_option)
"""All options whose values make an `ExtractSettings`."""


def collects_problems(command: Command) -> Command:
    """Give a command ``--strict``, and `Problems` as ``problems``; skipped inputs are exit code 1.

    It stands below the command's options.
    """

    @strict_option
    @wraps(command)
    def run(*, strict: bool, **values: Any) -> None:
        problems = Problems(strict, warn)
        command(problems=problems, **values)
        finish(click.get_current_context(), problems)

    return run


def warn(message: str) -> None:
    """A message on stderr about an input that is skipped."""
    click.echo(f"Warning: {message}", err=True)


def finish(ctx: click.Context, problems: Problems) -> None:
    """Say how many inputs were skipped, and end with exit code 1 if any was."""
    if problems.errors:
        click.echo(f"{counted(len(problems), 'input')} could not be used.", err=True)
        ctx.exit(1)


def counted(number: int, noun: str) -> str:
    """A number of things, whose plural ends in s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def open_records(
    source: Path,
    subset: str,
    problems: Problems,
    counts: list[FolderCount] | None = None,
    scheme: str | None = None,
) -> Iterator[ImageRecord]:
    """The annotated images of `source`, as of `datasets.registry.open_dataset`.

    `scheme` is the value of --scheme. `subset` counts for those data sets that have a test part.
    What a 300-W tree lacks of its official parts is a warning.
    """
    from ..datasets.registry import find_dataset, open_dataset
    from ..datasets.w300 import missing_parts
    from ..landmarks import find_scheme

    dataset, path = find_dataset(source)
    asked = None if scheme is None else find_scheme(scheme)
    if not dataset.has_test_part:
        return open_dataset(source, None, asked, problems, counts)
    for part in missing_parts(path, subset):
        warn(f"{path} has no {part.folder}: {part.official} faces of '{subset}' are missing")
    return open_dataset(source, subset, asked, problems, counts)


def measured_subsets(source: Path) -> tuple[str, ...]:
    """Subsets for `open_records` that together are the test part of `source`.

    Of a 300-W tree, they are the test folders that are there. A set that has no test part gives
    ``train``, which is all of it.

    Raises
    ------
    DataError
        `source` is no data set, or has training faces in a folder of their own and no test faces.
    """
    from ..datasets.registry import find_dataset
    from ..datasets.w300 import TEST_PARTS, has_training_folders, present_test_folders

    dataset, path = find_dataset(source)
    if dataset.name != "300w":
        return ("test",) if dataset.has_test_part else ("train",)
    folders = present_test_folders(path)
    if not folders and has_training_folders(path):
        wanted = ", ".join(part.folder for part in TEST_PARTS)
        raise DataError(
            source,
            f"has training faces and none of 300-W's test folders ({wanted}); "
            "measure the training faces with --subset train",
        )
    return folders or ("train",)


def measured_records(
    source: Path,
    subset: str | None,
    held_out: float,
    seed: int,
    problems: Problems,
    scheme: str | None = None,
) -> tuple[list[ImageRecord], str]:
    """The annotated images to measure on, and what to call them.

    Parameters
    ----------
    source : Path
    subset : str, optional
        By default the test part; the training part if `held_out` is above 0.
    held_out : float
        Fraction of the persons and photographs that `prepare` and `network train` held out with
        the same seed: only they are measured. 0 measures all.
    seed : int
    problems : Problems
    scheme : str, optional
        As of `open_records`.
    """
    from ..datasets.split import group_of, is_held_out

    parts: tuple[str, ...] = ("train",)
    if subset is not None:
        parts = (subset,)
    elif not held_out:
        parts = measured_subsets(source)
    records = [
        record
        for part in parts
        for record in open_records(source, part, problems, scheme=scheme)
        if not held_out or is_held_out(group_of(record), held_out, seed)
    ]
    return records, describe_source(source, ", ".join(parts))


def describe_source(source: Path, subset: str) -> str:
    """What to call the data of `open_records`: the source, and its subset where it has some."""
    from ..datasets.registry import find_dataset
    from ..datasets.w300 import is_tree

    dataset, path = find_dataset(source)
    plain = dataset.name == "300w" and not is_tree(path)
    if not dataset.has_test_part or (plain and subset == "train"):
        return str(source)
    return f"{source} ({subset})"


def list_inputs(images: tuple[str, ...]) -> list[str]:
    """The images that the arguments name: files as they are, folders and globs expanded.

    Raises
    ------
    DataError
        A folder or a glob has no image.
    """
    names: list[str] = []
    for image in images:
        if image != STDIN and os.path.isdir(image):
            from imutils import paths

            from ..images import IMAGE_SUFFIXES

            listed = paths.list_files(image, validExts=IMAGE_SUFFIXES)
            # A pipe that lies in a folder would be waited for without end.
            inside = sorted(name for name in listed if not Path(name).is_fifo())
            if not inside:
                raise DataError(image, "is a folder without a picture")
            names += inside
        elif glob.has_magic(image) and not os.path.isfile(image):
            matches = sorted(filter(os.path.isfile, glob.glob(image, recursive=True)))
            if not matches:
                raise DataError(image, "no file matches")
            names += matches
        else:
            # A missing one is reported in its turn, like every other that cannot be read.
            names.append(image)
    return names


def read_list(path: str) -> list[str]:
    """The paths in a file that has one per line; empty lines are skipped, and - is stdin.

    Relative ones start where the program was started. A byte order mark, as editors on Windows
    write it, is no part of the first.

    Raises
    ------
    DataError
        It cannot be read, or has no path.
    """
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    # A file name may be no UTF-8; what it is then comes back when the file is opened.
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    # Not splitlines(): it also breaks at signs that names may have, such as U+2028.
    names = [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
    if not names:
        raise DataError(path, "is a list without a picture")
    return names


def split_setting(text: str) -> tuple[str, str]:
    """The parts of ``NAME=VALUE``; a name may be written with - for _."""
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise OptionError(f"--set takes NAME=VALUE, not '{text}'")
    return name.strip().replace("-", "_"), value.strip()

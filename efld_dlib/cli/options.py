"""Options and small services that several commands share.

The command modules import the parts of the toolkit that pull in OpenCV and dlib inside their
functions, so that ``--help`` answers at once.
"""

from __future__ import annotations

import codecs
import glob
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import DataError, OptionError, Problems

if TYPE_CHECKING:
    from ..datasets.base import FolderCount
    from ..records import ImageRecord


jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Number of processes [default: one a core]."
)
strict_option = click.option(
    "--strict", is_flag=True, help="Stop at the first bad input instead of skipping it."
)
subset_option = click.option(
    "--subset",
    default="train",
    show_default=True,
    help="Of a 300-W tree: train, test-common, test-challenging, test-full, or a folder in it "
    "such as helen/testset.",
)
sources_argument = click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path)
)
every_option = click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Only every so many-th picture.",
)

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


def warn(message: str) -> None:
    """A message on stderr about an input that is skipped."""
    click.echo(f"Warning: {message}", err=True)


def finish(ctx: click.Context, problems: Problems) -> None:
    """Say how many inputs were skipped, and end with exit code 1 if any was."""
    if problems.errors:
        click.echo(f"{counted(len(problems), 'input')} could not be used.", err=True)
        ctx.exit(1)


def counted(number: int, noun: str) -> str:
    """So many of a thing, whose plural ends in s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def open_records(
    source: Path, subset: str, problems: Problems, counts: list[FolderCount] | None = None
) -> Iterator[ImageRecord]:
    """The annotated images of `source` with 68 landmarks, as of `datasets.registry.open_dataset`.

    `subset` counts for those data sets that have a test part. What a 300-W tree lacks of its
    official parts is a warning.
    """
    from ..datasets.registry import find_dataset, open_dataset
    from ..datasets.w300 import missing_parts

    dataset, path = find_dataset(source)
    if not dataset.has_test_part:
        return open_dataset(source, problems=problems, counts=counts)
    for part in missing_parts(path, subset):
        warn(f"{path} has no {part.folder}: {part.official} faces of '{subset}' are missing")
    return open_dataset(source, subset, problems=problems, counts=counts)


def open_all(sources: Iterable[Path], subset: str, problems: Problems) -> list[ImageRecord]:
    """The annotated pictures of several sources, as of `open_records`, one after the other."""
    return list(chain.from_iterable(open_records(each, subset, problems) for each in sources))


labels_option = click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Labels of images that it knows by their content, such as tools/labels/consensus.xz, in "
    "place of the data set's own; faces that it rejects are left out.",
)


def data_set_of(source: Path) -> str:
    """Name of the data set that `source` is, as for `open_records`."""
    from ..datasets.registry import find_dataset

    return find_dataset(source)[0].name


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
    source: Path, subset: str | None, held_out: float, seed: int, problems: Problems
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
    """
    from ..datasets.split import group_of, is_held_out

    if subset is not None:
        parts: tuple[str, ...] = (subset,)
    else:
        parts = ("train",) if held_out else measured_subsets(source)
    records = [
        record
        for part in parts
        for record in open_records(source, part, problems)
        if not held_out or is_held_out(group_of(record), held_out, seed)
    ]
    return records, describe_source(source, ", ".join(parts))


def split_setting(text: str) -> tuple[str, str]:
    """The parts of ``NAME=VALUE``; a name may be written with - for _."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise OptionError(f"--set takes NAME=VALUE, not '{text}'")
    return name.replace("-", "_"), value


def describe_source(source: Path, subset: str) -> str:
    """What to call the data of `open_records`: the source, and its subset where it has some."""
    from ..datasets.registry import find_dataset
    from ..datasets.w300 import is_tree

    dataset, path = find_dataset(source)
    plain = dataset.name == "300w" and not is_tree(path)
    if not dataset.has_test_part or (plain and subset == "train"):
        return str(source)
    return f"{source} ({subset})"


STDIN = "-"
"""A picture on stdin, where a command takes one."""


def list_inputs(images: tuple[str, ...]) -> list[str]:
    """The pictures that the arguments name: files as they stand, folders and globs spread out.

    Raises
    ------
    DataError
        A folder or a glob has no picture.
    """
    names: list[str] = []
    for image in images:
        path = Path(image)
        try:
            there = image == STDIN or path.is_file()
        except OSError:  # such as of a name that is too long for any file
            there = True
        if there:
            names.append(image)
        elif path.is_dir():
            from imutils import paths

            from ..images import IMAGE_SUFFIXES

            listed = paths.list_files(image, validExts=IMAGE_SUFFIXES)
            # A pipe that lies in a folder would be waited for without end.
            inside = sorted(name for name in listed if not Path(name).is_fifo())
            if not inside:
                raise DataError(image, "is a folder without a picture")
            names.extend(inside)
        elif glob.has_magic(image):
            matches = sorted(
                name for name in glob.glob(image, recursive=True) if Path(name).is_file()
            )
            if not matches:
                raise DataError(image, "no file matches")
            names.extend(matches)
        else:
            # Missing: reported in its turn, like every other picture that cannot be read.
            names.append(image)
    return names


def read_list(path: str) -> list[str]:
    """The paths in a file that has one a line; empty lines are passed over, and - is stdin.

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


Command = TypeVar("Command", bound=Callable[..., Any])

QUALITIES = click.Choice(["fast", "balanced", "best"])


model_option = click.option(
    "-m",
    "--model",
    type=click.Path(path_type=Path),
    help="A 68-point model, .dat or .efld [default: the one that comes with the package].",
)
features_option = click.option(
    "--features",
    "feature_text",
    default="default",
    show_default=True,
    help="Features, comma separated: names, pairs (36-45), ratios (36-45/30-48), angles "
    "(angle:36-45).",
)
detector_option = click.option(
    "--detector",
    "detector_name",
    default="fast",
    show_default=True,
    help="fast finds faces of any yaw; thorough also faces turned in the image, upside down too; "
    "dlib is its frontal detector, which doubles an image in which it finds nothing, dlib=1 "
    "doubles each once; also lbp, yunet=FILE.onnx, dlib-cnn=FILE.dat.",
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
    help="Width of the smallest face that is wanted, in pixels (12 or more) or as 10% of the "
    "image's shorter side: the larger, the faster. Landmarks come from the full image all the same "
    "[default: 20 pixels or a sixtieth of the longer side, whichever is larger].",
)
quality_option = click.option(
    "--quality",
    type=QUALITIES,
    default="balanced",
    show_default=True,
    help="Landmark quality: fast takes a third of the time, best four times as long.",
)
point_confidence_option = click.option(
    "--point-confidence",
    is_flag=True,
    help="Also say how likely it is that each landmark is right and visible: point_confidence in "
    "JSON, columns c_0 to c_67 in tables.",
)
detect_every_option = click.option(
    "--detect-every",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="Frames after which new faces are looked for, while all known ones are followed.",
)


def detection_options(command: Command) -> Command:
    """All of them but the model, in the order of the help."""
    options = (
        features_option,
        detector_option,
        min_score_option,
        min_face_option,
        quality_option,
        point_confidence_option,
    )
    for option in reversed(options):
        command = option(command)
    return command

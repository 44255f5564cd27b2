"""Training dlib's HOG detector (`dlib.train_simple_object_detector`) on the boxes of an XML."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from ..boxes import Box
from ..datasets.split import group_of, held_out_groups
from ..detection.registry import ObjectDetector
from ..drawing import write_image
from ..errors import DataError, OptionError, TrainingError
from ..files import atomic_path, write_json
from ..images import Image, read_image, to_gray
from ..landmarks import Scheme
from ..parallel import available_cores, progress
from ..records import ImageRecord
from ..xml.write import attributes, writing
from .options import override_options
from .process import Progress, run_worker
from .trainer import read_records

_SEED = 1
_HELD_OUT = 0.1

MATCHED = 0.5
"""Least intersection over union of a detection and a box for the thing to count as found."""

LOWEST = -0.5
"""Lowest threshold that is tried: below it, dlib's detectors find things in everything."""

# The detector looks through a window of so many pixels; of a thing, so many times that are kept.
_WINDOW, _ROOM = 6400, 1.5

# One window for all forms up to this ratio of the 90th percentile of height by width to the 10th;
# further ones for further such ratios, and not without so many things in each.
_SPREAD, _MOST_WINDOWS, _LEAST_THINGS = 1.45, 3, 15


@dataclass(frozen=True)
class DetectorOptions:
    """Options of dlib's trainer of object detectors, under its own names.

    Parameters
    ----------
    C : float
        How much each missed thing and each false alarm counts: the larger, the closer the detector
        keeps to the training images.
    epsilon : float
        How exactly the optimum is found; smaller takes longer.
    add_left_right_image_flips : bool, optional
        Whether mirror images are learnt too; by default if the scheme names mirror pairs.
    upsample_limit : int
        How often images may be doubled for things smaller than the window.
    nuclear_norm_regularization_strength : float
        Above 0, the detector gets faster and less exact.
    num_threads : int
        0 = one a core.
    """

    C: float = 5.0
    epsilon: float = 0.01
    add_left_right_image_flips: bool | None = None
    upsample_limit: int = 2
    nuclear_norm_regularization_strength: float = 0.0
    num_threads: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.C < math.inf and 0 < self.epsilon < math.inf):
            raise OptionError("C and epsilon must be above 0")
        if self.nuclear_norm_regularization_strength < 0 or self.num_threads < 0:
            raise OptionError("neither the regularisation nor the threads can be below 0")
        if not 0 <= self.upsample_limit <= 4:
            raise OptionError(f"upsample_limit must be from 0 to 4, not {self.upsample_limit}")


@dataclass(frozen=True)
class DetectorResult:
    """A trained detector, and what it finds.

    Parameters
    ----------
    files : tuple of Path
        The `.svm` file, for `dlib.simple_object_detector` too; for things of mixed forms, more.
    report : Path
        The JSON beside the first, which holds all of this, and from which it knows the others.
    windows : tuple of (int, int)
        Width and height in pixels of the window that each looks through.
    trained : int
        Things trained on.
    threshold : float
        Lowest score that counts by default: the one at which most is right on the held-out images.
    things, found, others : int
        Of the held-out images: how many things they show, how many of them it finds, and what else
        it takes for one.
    """

    files: tuple[Path, ...]
    report: Path
    windows: tuple[tuple[int, int], ...]
    trained: int
    threshold: float
    things: int
    found: int
    others: int


def train_detector(
    data: str | Path,
    output: str | Path,
    options: DetectorOptions | None = None,
    validation: str | Path | None = None,
    *,
    scheme: Scheme | None = None,
    on_progress: Progress | None = None,
    show_progress: bool = False,
    **overrides: Any,
) -> DetectorResult:
    """Train a detector of the things in the boxes of an XML, as ``efld-dlib train --detector``.

    dlib's detector looks through a window of one form. The boxes are brought to that form about
    their own centres; where they are too different, a detector is trained for each of two or three
    forms.

    Parameters
    ----------
    data : path
        A dlib XML file. All things in its images must have boxes, or they are taken for what is to
        be left alone.
    output : path
        The ``.svm`` to write.
    options : DetectorOptions, optional
    validation : path, optional
        XML of images to measure on; by default a tenth of the photographs of `data`, on which it is
        not trained then.
    scheme : Scheme, optional
        Of the parts in the XML; by default what it says.
    on_progress : callable, optional
        Called with the fraction of the training that is done.
    show_progress : bool
        A progress bar on stderr for the measurement.
    **overrides
        Fields of `DetectorOptions` with other values.

    Raises
    ------
    DataError
        The XML is wrong, has no box, or names an image that is missing.
    OptionError
        An option is out of range.
    TrainingError
        dlib refused the data.
    """
    output, data = Path(output), Path(data)
    options = override_options(options or DetectorOptions(), overrides)
    records = read_records(data, scheme)
    held_out: list[ImageRecord] = []
    if validation is not None:
        held_out = read_records(Path(validation), scheme)
    else:
        groups = held_out_groups([group_of(record) for record in records], _HELD_OUT, _SEED)
        if 0 < len(groups) < len({group_of(record) for record in records}):
            held_out = [record for record in records if group_of(record) in groups]
            records = [record for record in records if group_of(record) not in groups]
    flips = options.add_left_right_image_flips
    if flips is None:
        flips = records[0].faces[0].scheme.mirror is not None
    options = replace(
        options,
        add_left_right_image_flips=flips,
        num_threads=options.num_threads or available_cores(),
    )
    forms = _forms([_box(record, face.box) for record in records for face in record.faces])
    with tempfile.TemporaryDirectory(prefix="efld-detector-") as folder:
        images = _reduced(records, Path(folder))
        parts = []
        for number, form in enumerate(forms):
            xml, part = Path(folder) / f"{number}.xml", Path(folder) / f"{number}.svm"
            _write(xml, images, form, forms)
            gap = _Gap(number, len(forms), options.epsilon, on_progress)
            try:
                run_worker("detector", xml, part, asdict(options), gap)
            except TrainingError as error:
                raise _told_of(error, data, xml, records) from error
            parts.append(part)
        files = [
            output,
            *(output.with_stem(f"{output.stem}-{n}") for n in range(2, len(parts) + 1)),
        ]
        for part, file in zip(parts, files, strict=True):
            with atomic_path(file) as temporary:
                temporary.write_bytes(part.read_bytes())
    about: dict[str, Any] = {"model": output.name, "further": [file.name for file in files[1:]]}
    report = output.with_name(f"{output.name}.json")
    write_json(report, about)
    scores, things = _measured(output, held_out, show_progress)
    threshold = _threshold(scores, things)
    right = [is_thing for score, is_thing in scores if score >= threshold]
    found, others = sum(right), len(right) - sum(right)
    trained = sum(len(record.faces) for record in records)
    windows = tuple(_window(form) for form in forms)
    held = {"things": things, "found": found, "others": others}
    options_used = {"windows": windows, "options": asdict(options)}
    about |= {"threshold": threshold, "trained": trained, "held_out": held, **options_used}
    write_json(report, about)
    return DetectorResult(tuple(files), report, windows, trained, threshold, things, found, others)


def _told_of(
    error: TrainingError, data: Path, xml: Path, records: Sequence[ImageRecord]
) -> TrainingError:
    """The same, of the caller's files in place of the reduced ones that dlib was given."""
    text = str(error).replace(str(xml), str(data))
    return TrainingError(
        re.sub(r"\b(\d+)\.png\b", lambda match: str(records[int(match[1])].path), text)
    )


def _box(record: ImageRecord, box: Box | None) -> Box:
    if box is None:
        raise DataError(record.path, "has a thing without a box")
    return box


def _form(box: Box) -> float:
    return box.height / box.width


def _forms(boxes: Sequence[Box]) -> list[float]:
    """The forms, height by width, of the windows that boxes ask for."""
    logs = np.sort(np.log([_form(box) for box in boxes]))
    low, high = np.percentile(logs, [10, 90])
    wanted = math.ceil((high - low) / math.log(_SPREAD))
    count = max(1, min(wanted, _MOST_WINDOWS, len(logs) // _LEAST_THINGS))
    return [float(np.exp(np.median(part))) for part in np.array_split(logs, count)]


def _window(form: float) -> tuple[int, int]:
    width = math.sqrt(_WINDOW / form)
    return round(width), round(width * form)


def _reduced(records: Sequence[ImageRecord], folder: Path) -> list[tuple[Path, list[Box]]]:
    """Gray images, no larger than the smallest thing in them asks for, and the boxes in them."""
    images = []
    for number, record in enumerate(records):
        gray = to_gray(read_image(record.path))
        boxes = [_box(record, face.box) for face in record.faces]
        smallest = min(math.sqrt(box.width * box.height) for box in boxes)
        scale = min(1.0, _ROOM * math.sqrt(_WINDOW) / smallest)
        if scale < 1:
            smaller = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            gray = cast(Image, smaller)
        path = folder / f"{number}.png"
        write_image(path, gray)
        images.append((path, [Box(*(scale * side for side in box)) for box in boxes]))
    return images


def _write(
    xml: Path, images: Sequence[tuple[Path, list[Box]]], form: float, forms: Sequence[float]
) -> None:
    """An XML with the boxes of one form to find, and those of the others to leave alone."""
    with writing(xml, "things", "") as file:
        for path, boxes in images:
            lines = []
            for box in boxes:
                nearest = min(forms, key=lambda each: abs(math.log(_form(box) / each)))
                width = math.sqrt(box.width * box.height / form)
                x, y = box.center
                places = {
                    "top": str(round(y - width * form / 2)),
                    "left": str(round(x - width / 2)),
                    "width": str(round(width)),
                    "height": str(round(width * form)),
                }
                ignored = {} if nearest == form else {"ignore": "1"}
                lines.append(f"    <box{attributes(places | ignored)}/>\n")
            file.image({"file": path.name}, lines)


_GAP = re.compile(r"risk gap:\s+([0-9.e+-]+)")


class _Gap:
    """Reads dlib's output: how far the optimum is, on a logarithmic scale from the first gap."""

    def __init__(
        self, number: int, parts: int, epsilon: float, on_progress: Progress | None
    ) -> None:
        self.number, self.parts, self.epsilon = number, parts, epsilon
        self.on_progress = on_progress
        self.first: float | None = None
        self.done = 0.0

    def __call__(self, text: str) -> None:
        gaps = [float(gap) for gap in _GAP.findall(text)]
        if self.on_progress is None or not gaps or not gaps[-1] > 0:
            return
        self.first = self.first or max(gaps[0], 2 * self.epsilon)
        way = math.log(self.first / gaps[-1]) / math.log(self.first / self.epsilon)
        self.done = max(self.done, min(way, 1.0))
        self.on_progress((self.number + self.done) / self.parts)


def _measured(
    model: Path, records: Sequence[ImageRecord], show_progress: bool
) -> tuple[list[tuple[float, bool]], int]:
    """Score of each detection and whether it is a thing, and how many things there are."""
    detector = ObjectDetector(model, LOWEST)
    scores, things = [], 0
    for record in progress(records, len(records), "measuring", show_progress):
        boxes = [_box(record, face.box) for face in record.faces]
        things += len(boxes)
        for detection in detector(to_gray(read_image(record.path))):
            overlaps = [box.overlap(detection.box) for box in boxes]
            is_thing = bool(overlaps) and max(overlaps) >= MATCHED
            if is_thing:
                boxes.pop(int(np.argmax(overlaps)))
            scores.append((detection.score, is_thing))
    return scores, things


def _threshold(scores: Sequence[tuple[float, bool]], things: int) -> float:
    """The threshold, from `LOWEST` to dlib's own 0, at which found and right balance best (F1)."""

    def balance(threshold: float) -> float:
        right = [is_thing for score, is_thing in scores if score >= threshold]
        return 2 * sum(right) / max(len(right) + things, 1)

    steps = np.linspace(0.0, LOWEST, 11)
    return round(float(max(steps, key=balance)), 3)

"""Accuracy, efficiency and size of landmark methods, measured beside each other.

All methods see the same faces with the same boxes in one process and take turns at them; what
loading costs is measured in a process of its own for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata

import numpy as np

from efld_dlib.boxes import FloatArray
from efld_dlib.errors import EfldError, OptionError, Problems
from efld_dlib.evaluation.machine import describe_machine, one_thread, versions
from efld_dlib.evaluation.metrics import mean_given, normalised_mean_errors
from efld_dlib.parallel import progress
from efld_dlib.records import ImageRecord

from .faces import BenchmarkFace, find_faces, one_face_frame
from .load import Load, LoadError, Size, measure_load, measure_size
from .peers.base import ALL_68, Method, Runner
from .timing import Pass, median, paired_ratio, run_faces, run_frames

FrameSize = tuple[int, int]


@dataclass(frozen=True)
class BenchmarkOptions:
    """How thoroughly to measure.

    Parameters
    ----------
    sizes : tuple of (int, int)
        Width and height of the frames for the whole pipeline, in pixels.
    face_rounds, frame_rounds, load_rounds : int
        Turns of each method on every block of faces, on every frame, and at loading.
    block : int
        Faces in a block.
    frame_repeats, frame_seconds : int, float
        Runs on a frame in one turn, and the time after which no further one is begun.
    """

    sizes: tuple[FrameSize, ...] = ((320, 240), (640, 480), (1280, 720))
    face_rounds: int = 3
    frame_rounds: int = 5
    load_rounds: int = 3
    block: int = 30
    frame_repeats: int = 10
    frame_seconds: float = 1.0


FULL = BenchmarkOptions()
QUICK = BenchmarkOptions(face_rounds=1, frame_rounds=2, load_rounds=1, frame_repeats=3)


@dataclass(frozen=True)
class Row:
    """The figures of a method.

    Parameters
    ----------
    name : str
    points, common : int
        Landmarks that it gives, and those of the 68 among them, on which it is compared.
    nme : float
        Mean error of the faces it found on the common landmarks; fraction of the inter-ocular
        distance.
    reference_nme : float
        Error of the first row's method on the same landmarks of the same faces.
    missed : int
        Faces without landmarks: not found by the detector or by the method itself.
    faces_per_second : float
        Landmarks only, on one thread.
    frames_per_second : dict
        Frame size -> the whole pipeline on a frame with one face.
    faces_in_frame : dict
        Frame size -> faces it found in that frame; 1 is right.
    load : Load
        Seconds until the first face is answered, and peak memory.
    size : Size
        Bytes of its landmark model, and compressed.
    ratios : dict
        Figure -> this row's divided by the first row's; speeds are compared turn by turn.
    marks : tuple of str
        What has to be said of it.
    """

    name: str
    points: int
    common: int
    nme: float
    reference_nme: float
    missed: int
    faces_per_second: float
    frames_per_second: dict[FrameSize, float]
    faces_in_frame: dict[FrameSize, int]
    load: Load
    size: Size
    ratios: dict[str, float]
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Benchmark:
    """The table's rows and the circumstances of the measurement.

    Parameters
    ----------
    rows : tuple of Row
    left_out : tuple of str
        A line about each method that has no row.
    data : str
        What was measured on.
    faces, not_detected : int
        Annotated faces, and those that the detector, which all methods share, did not find.
    base_memory : int, or None
        Peak bytes of a process without any model.
    one_core : bool
        Whether everything was held to one core.
    machine, versions : dict
    options : BenchmarkOptions
    """

    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    data: str
    faces: int
    not_detected: int
    base_memory: int | None
    one_core: bool
    machine: dict[str, object]
    versions: dict[str, str]
    options: BenchmarkOptions


@dataclass(eq=False)
class Entry:
    """A method while it is measured: what loading it cost, each time, and what it did."""

    method: Method
    loads: list[Load] = field(default_factory=list)
    log: Pass = field(init=False)

    def __post_init__(self) -> None:
        self.log = Pass(self.method.name)


def make_rows(
    entries: Sequence[Entry],
    faces: Sequence[BenchmarkFace],
    test_set: str,
    trained_on_test: Collection[str] = (),
) -> tuple[Row, ...]:
    """The rows, each with its ratios to the first.

    Parameters
    ----------
    entries : sequence of Entry
    faces : sequence of BenchmarkFace
    test_set : str
        Data set that the faces belong to, as in `Method.trained_on`.
    trained_on_test : collection of str
        Names of further methods that have seen these very faces.
    """
    first = entries[0]
    rows = [
        _row(entry, first, faces, _marks(entry, test_set, entry.log.name in trained_on_test))
        for entry in entries
    ]
    return tuple(
        replace(row, ratios=_ratios(row, entry.log, rows[0], first.log))
        for row, entry in zip(rows, entries, strict=True)
    )


def _row(entry: Entry, first: Entry, faces: Sequence[BenchmarkFace], marks: tuple[str, ...]) -> Row:
    method, log = entry.method, entry.log
    errors = _errors(log, faces, method.common)
    reference = _errors(first.log, faces, method.common)
    peaks = [load.peak for load in entry.loads if load.peak is not None]
    return Row(
        name=method.name,
        points=method.size,
        common=len(method.common),
        nme=float(mean_given(errors)),
        reference_nme=float(mean_given(np.where(np.isfinite(errors), reference, np.nan))),
        missed=sum(points is None for points in log.points),
        faces_per_second=1 / median(log.seconds) if log.seconds else float("nan"),
        frames_per_second={size: median(rates) for size, rates in log.frames.items()},
        faces_in_frame=dict(log.faces_in_frame),
        load=Load(
            median([load.seconds for load in entry.loads]), int(median(peaks)) if peaks else None
        ),
        size=measure_size(method.files()),
        ratios={},
        marks=marks,
    )


def _errors(log: Pass, faces: Sequence[BenchmarkFace], common: tuple[int, ...]) -> FloatArray:
    """Error of each face on the common landmarks; NaN where there is none."""
    predicted = np.full((len(faces), len(ALL_68), 2), np.nan)
    for index, points in enumerate(log.points):
        if points is not None:
            predicted[index, list(common)] = points[list(common)]
    return normalised_mean_errors(predicted, np.array([face.truth for face in faces]))


def _ratios(row: Row, log: Pass, first: Row, first_log: Pass) -> dict[str, float]:
    """Figures of `row` divided by those of `first`; the speeds turn by turn."""
    ratios = {
        "nme": row.nme / row.reference_nme,
        "faces_per_second": paired_ratio(first_log.seconds, log.seconds),
        "load_seconds": row.load.seconds / first.load.seconds,
        "file_bytes": row.size.plain / first.size.plain,
        "lzma_bytes": row.size.compressed / first.size.compressed,
    }
    if row.load.peak and first.load.peak:
        ratios["peak_memory_bytes"] = row.load.peak / first.load.peak
    for size, rates in log.frames.items():
        ratios[f"frames_per_second_{size_name(size)}"] = paired_ratio(rates, first_log.frames[size])
    return ratios


def size_name(size: FrameSize) -> str:
    """A frame size as one writes it."""
    return f"{size[0]}x{size[1]}"


def _marks(entry: Entry, test_set: str, seen: bool) -> tuple[str, ...]:
    """What a reader has to know; `seen`: the caller knows that it was trained on these faces."""
    method, marks = entry.method, []
    if seen or (method.trained_on and method.trained_on == test_set):
        marks.append("trained on this test set")
    elif method.trained_on:
        marks.append(f"trained on all of {method.trained_on}")
    common = len(method.common)
    if common < len(ALL_68):
        other = "" if common == method.size else "other point definitions: "
        marks.append(
            f"{other}compared on the {common} of the 68 points that mean the same; in brackets "
            "the first row's error on these points of the same faces"
        )
    marks += method.notes
    for size, count in entry.log.faces_in_frame.items():
        if count != 1:
            marks.append(f"found {count} faces in the one-face frame of {size_name(size)}")
    return tuple(marks)


def benchmark(
    methods: Sequence[Method],
    records: Iterable[ImageRecord],
    options: BenchmarkOptions = FULL,
    data: str = "",
    test_set: str = "",
    trained_on_test: Collection[str] = (),
    limit: int | None = None,
    jobs: int | None = None,
    problems: Problems | None = None,
    left_out: Sequence[str] = (),
    say: Callable[[str], None] = lambda message: None,
    show_progress: bool = False,
) -> Benchmark:
    """Measure methods against each other.

    Parameters
    ----------
    methods : sequence of Method
        The first is what the others are compared with.
    records : iterable of ImageRecord
        The annotated faces to measure accuracy and speed on.
    options : BenchmarkOptions
    data : str
        What `records` are, for the reader of the table.
    test_set : str
        Data set that `records` belong to, as in `Method.trained_on`.
    trained_on_test : collection of str
        Names of further methods that have seen these very faces.
    limit : int, optional
        At most so many faces.
    jobs : int, optional
        Processes that look for the faces beforehand; what is timed runs on one thread.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.
    left_out : sequence of str
        Lines about methods that are not among `methods`.
    say : callable
        Takes a line about each stage and about each method that has to be left out.
    show_progress : bool
        Progress bars on stderr.

    Raises
    ------
    DataError
        There is no annotated face.
    OptionError
        There is no method, two have one name, a name in `trained_on_test` is of none, or the
        limit is below 1.
    EfldError
        No method could be loaded, or one failed on a face.
    """
    _check_names(methods, trained_on_test)
    machine = describe_machine()
    faces = find_faces(records, limit, jobs, problems, show_progress)
    with one_thread() as one_core:
        say(f"load time and memory of {len(methods)} methods, each in a process of its own")
        entries, base, failures = _measure_loads(methods, options, show_progress)
        for line in failures:
            say(line)
        if not entries:
            raise EfldError("no method could be loaded: " + "; ".join(failures))
        runners = [(entry.method.load(), entry.log) for entry in entries]
        say(f"landmarks of {len(faces)} faces")
        run_faces(runners, faces, options.block, options.face_rounds, show_progress)
        say("the whole pipeline on frames with one face")
        _measure_frames(runners, options, show_progress)
    say("compressing the files")
    packages = [name for entry in entries for name in entry.method.packages]
    return Benchmark(
        rows=make_rows(entries, faces, test_set, trained_on_test),
        left_out=(*left_out, *failures),
        data=data,
        faces=len(faces),
        not_detected=sum(face.box is None for face in faces),
        base_memory=base.peak,
        one_core=one_core,
        machine=machine,
        versions={**versions(), **{name: _version(name) for name in packages}},
        options=options,
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def _check_names(methods: Sequence[Method], trained_on_test: Collection[str]) -> None:
    names = [method.name for method in methods]
    if not names:
        raise OptionError("there is no method to measure")
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"two methods are called '{name}': name them as NAME=PATH")
    for name in trained_on_test:
        if name not in names:
            raise OptionError(f"there is no method '{name}' to mark; there are {', '.join(names)}")


def _measure_loads(
    methods: Sequence[Method], options: BenchmarkOptions, show_progress: bool
) -> tuple[list[Entry], Load, list[str]]:
    """The methods that could be loaded, a process without any, and a line about each other."""
    frame, box = one_face_frame(*options.sizes[0])
    base = measure_load(None, frame, box)
    entries = [Entry(method) for method in methods]
    failures: list[str] = []
    plan = [entry for _ in range(options.load_rounds) for entry in entries]
    for entry in progress(plan, len(plan), "loading", show_progress):
        if entry not in entries:
            continue
        try:
            entry.loads.append(measure_load(entry.method, frame, box))
        except LoadError as error:
            entries.remove(entry)
            failures.append(f"{entry.method.name}: left out: {error}")
    return entries, base, failures


def _measure_frames(
    runners: Sequence[tuple[Runner, Pass]], options: BenchmarkOptions, show_progress: bool
) -> None:
    frames = [one_face_frame(*size)[0] for size in options.sizes]
    run_frames(
        runners,
        frames,
        options.frame_repeats,
        options.frame_seconds,
        options.frame_rounds,
        show_progress,
    )

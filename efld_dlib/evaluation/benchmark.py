"""The paper's Table 2 with measured numbers: accuracy, efficiency and compressibility.

All methods see the same faces with the same boxes in one process and take turns at them; what
loading costs is measured in a process of its own for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ..errors import EfldError, OptionError, Problems
from ..parallel import progress
from ..records import ImageRecord
from .benchmark_faces import find_faces, one_face_frame
from .benchmark_load import Load, LoadError, measure_load
from .benchmark_result import FULL, Benchmark, BenchmarkOptions
from .benchmark_rows import Entry, make_rows
from .benchmark_timing import Pass, run_faces, run_frames
from .machine import describe_machine, one_thread, versions
from .peers.base import Method, Runner


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
    packages = dict.fromkeys(name for entry in entries for name in entry.method.packages)
    return Benchmark(
        rows=make_rows(entries, faces, test_set, trained_on_test),
        left_out=(*left_out, *failures),
        data=data,
        faces=len(faces),
        not_detected=sum(face.box is None for face in faces),
        base_memory=base.peak,
        one_core=one_core,
        machine=machine,
        versions=versions(packages),
        options=options,
    )


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

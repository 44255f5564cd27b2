"""Searching options of dlib's trainer by their error on faces that are held out.

The search is dlib's own (`dlib.global_function_search`, on which `dlib.find_min_global` is built;
of the two only the former can be continued). Trials train on a part of the faces, so that many fit
into the time; the best ones are then compared with the start on a larger part.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import load_dlib
from ..boxes import FloatArray
from ..datasets.split import choose_photographs, photograph_of
from ..errors import DataError, OptionError
from ..evaluation.evaluate import evaluate
from ..evaluation.metrics import mean_given
from ..files import is_file, read_input, sha256, write_json
from ..landmarks import Scheme
from ..parallel import available_cores
from ..records import ImageRecord
from .options import TrainingOptions
from .trainer import (
    measurable,
    measured_model,
    of_scheme,
    read_training_records,
    training_files,
)

_JUDGED = 0.25  # of the photographs, on which trials are judged
_MOST_JUDGED = 500  # faces
_FEWEST_PHOTOGRAPHS = 16  # in all, or chance decides
_SEED = 1

# Of the time: for trials; the rest is for comparing the best of them with the start.
_TRIALS = 0.7
_BEST = 3
_BEYOND_CHANCE = 2.0
_LARGER = 3.0  # how many times as many faces that comparison trains on
# So many trials are to fit into the time, each on at least so many faces.
_WANTED_TRIALS, _FEWEST = 50, 60

# In place of an error that cannot be told: dlib's search and JSON need a finite number.
_HOPELESS = 100.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Axis:
    """A direction of the search: bounds, and whether only whole numbers make sense."""

    low: float
    high: float
    whole: bool = False


# The size of the model and the time to train it stay: deeper trees are fewer, and what is not spent
# on splits is spent on starting shapes.
_SPACE: dict[str, _Axis] = {
    "log nu": _Axis(math.log(0.02), math.log(0.6)),
    "log lambda_param": _Axis(math.log(0.01), math.log(2.0)),
    "feature_pool_region_padding": _Axis(0.0, 0.6),
    "tree_depth": _Axis(2, 6, whole=True),
    "cascade_depth": _Axis(5, 25, whole=True),
    "log splits": _Axis(math.log(5), math.log(100)),
    "log pool": _Axis(math.log(100), math.log(1200)),
}


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Parameters
    ----------
    options : TrainingOptions
        The best; those of the start if nothing better was found.
    start_error, error : float
        Of the start and of the best, trained on the same larger part of the faces: mean error of
        held-out faces, as a fraction of what errors are divided by.
    trials : int
        How many trials were made, earlier runs included.
    faces, judged : int
        Trained on in a trial, and held out.
    """

    options: TrainingOptions
    start_error: float
    error: float
    trials: int
    faces: int
    judged: int

    def __str__(self) -> str:
        gain = 100 * (1 - self.error / self.start_error)
        found = "nothing better than the start" if gain <= 0 else f"{gain:.1f} % less error"
        return (
            f"search: {found} in {self.trials} trials, each trained on {self.faces} faces; "
            f"held-out error {100 * self.start_error:.3f} % before, {100 * self.error:.3f} % now, "
            f"on {self.judged} faces"
        )


def search_options(
    data: str | Path,
    start: TrainingOptions,
    minutes: float,
    kept: str | Path,
    *,
    scheme: Scheme | None = None,
    points: str | None = None,
    jobs: int | None = None,
    say: Say = lambda text: None,
) -> SearchResult:
    """Search for options that predict held-out faces better, in a model of the same size.

    Parameters
    ----------
    data : path
        As of `training.trainer.train`. A quarter of the photographs is held out for the search;
        the validation part of a folder is left alone.
    start : TrainingOptions
        Where to begin. Size and training time of its model are kept.
    minutes : float
        How long to search; a trial under way is finished.
    kept : path
        JSON file for the trials: a search that finds one of the same data and start goes on there,
        and its earlier trials count towards no time.
    scheme, points
        As of `train`.
    jobs : int, optional
        Threads of dlib's trainer; by default one a core.
    say : callable, optional
        Gets a line for each trial.

    Raises
    ------
    OptionError
        There is no time, or `kept` is of another search.
    DataError
        The XML is wrong, or has too few photographs to hold some out.
    """
    if not minutes > 0:
        raise OptionError(f"a search needs more than {minutes:g} minutes")
    began, kept = time.monotonic(), Path(kept)
    xml, _ = training_files(Path(data), None)
    records, chosen = read_training_records(xml, scheme, points)
    fit, judge = _split(records, xml)
    start = replace(start, num_threads=start.num_threads or jobs or available_cores())
    run = _Run(of_scheme(fit, chosen), measurable(judge, chosen), chosen)
    state = {
        "data": sha256(xml),
        "points": chosen.state(),
        "start": asdict(start),
    }
    trials: list[dict[str, Any]] = []
    faces = 0
    if is_file(kept):
        trials, faces = _kept_trials(kept, state)
        say(f"{kept}: continues after {len(trials)} trials")
    if not faces:
        faces = run.faces_for(start, 60 * minutes * _TRIALS / _WANTED_TRIALS)

    def keep() -> None:
        write_json(kept, {"search": state, "faces": faces, "trials": trials})

    def trial(place: Sequence[float]) -> float:
        options = _options_at(place, start)
        error = run.error(options, faces)
        trials.append({"place": list(place), "error": error})
        keep()
        best = min(each["error"] for each in trials)
        say(
            f"trial {len(trials)}: {100 * error:.3f} % (best {100 * best:.3f} %)  "
            + ", ".join(f"{name}={value:g}" for name, value in _changed(options, start).items())
        )
        return error

    if not trials:
        trial(_place_of(start))
    searcher = _searcher(trials)
    while time.monotonic() - began < 60 * minutes * _TRIALS:
        request = searcher.get_next_x()
        request.set(-math.log(trial(list(request.x))))
    places = [each["place"] for each in sorted(trials, key=lambda each: each["error"])]
    larger = min(round(_LARGER * faces), run.most)
    say(f"comparing the best {_BEST} with the start, trained on {larger} faces")
    before = run.errors(start, larger)
    best, after = start, before
    for place in places[:_BEST]:
        options = _options_at(place, start)
        own = run.errors(options, larger)
        if mean_given(own) < mean_given(after) and _clearly_less(own, before):
            best, after = options, own
    start_error, error = (float(mean_given(each)) for each in (before, after))
    return SearchResult(best, start_error, error, len(trials), faces, run.judged)


def _clearly_less(errors: FloatArray, before: FloatArray) -> bool:
    """Whether faces' errors are less than before on the mean, beyond what chance explains.

    A few per cent on held-out faces may be chance, and on more faces often come out as a loss: the
    mean difference must exceed `_BEYOND_CHANCE` of its standard errors.
    """
    both = np.isfinite(errors) & np.isfinite(before)
    difference = (before - errors)[both]
    if len(difference) < 2:
        return False
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    return float(difference.mean()) > _BEYOND_CHANCE * error


def _kept_trials(kept: Path, state: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """The trials of an earlier run, and how many faces each was trained on."""
    try:
        found = json.loads(read_input(kept))
        same = found["search"] == state
        faces = int(found["faces"])
        trials: list[dict[str, Any]] = [
            {"place": list(map(float, each["place"])), "error": float(each["error"])}
            for each in found["trials"]
        ]
        if not all(len(each["place"]) == len(_SPACE) and each["error"] > 0 for each in trials):
            raise ValueError("a trial is none")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(kept, "is not what a search keeps: remove it to start again") from error
    if not same:
        raise OptionError(
            f"{kept} is of a search on other data or from another start: remove it to search anew"
        )
    return trials, faces


def _split(
    records: Sequence[ImageRecord], xml: Path
) -> tuple[list[ImageRecord], list[ImageRecord]]:
    groups = [photograph_of(record.photograph) for record in records]
    chosen = choose_photographs(groups, _JUDGED, np.random.default_rng(_SEED))
    fit = [record for record, group in zip(records, groups, strict=True) if group not in chosen]
    judge = [record for record, group in zip(records, groups, strict=True) if group in chosen]
    if len(set(groups)) < _FEWEST_PHOTOGRAPHS:
        raise DataError(xml, "has too few photographs to hold some out for a search")
    return fit, judge


class _Run:
    """Trains on some of the faces, and measures on those held out."""

    def __init__(self, fit: list[ImageRecord], judge: list[ImageRecord], scheme: Scheme) -> None:
        rng = np.random.default_rng(_SEED)
        self.fit = [fit[index] for index in rng.permutation(len(fit))]
        order = rng.permutation(len(judge))[:_MOST_JUDGED]
        self.judge = [judge[index] for index in order]
        self.scheme = scheme
        self.most, self.judged = len(self.fit), len(self.judge)

    def errors(self, options: TrainingOptions, faces: int) -> FloatArray:
        """Error of each held-out face; NaN where it cannot be told."""
        with tempfile.TemporaryDirectory(prefix="efld-search-") as folder:
            model = measured_model(self.fit[:faces], self.scheme, options, Path(folder))
            return evaluate(model, self.judge, boxes="file", jobs=1).errors

    def error(self, options: TrainingOptions, faces: int) -> float:
        """Their mean; `_HOPELESS` where there is none."""
        error = float(mean_given(self.errors(options, faces)))
        return error if error > 0 else _HOPELESS

    def faces_for(self, options: TrainingOptions, seconds: float) -> int:
        """How many faces a trial of about `seconds` trains on."""
        probe = min(_FEWEST, self.most)
        began = time.monotonic()
        self.error(options, probe)
        taken = max(time.monotonic() - began, 1e-3)
        return int(np.clip(probe * seconds / taken, probe, self.most))


def _place_of(options: TrainingOptions) -> list[float]:
    """Where options lie in the search's space, or on its nearest edge."""
    place = [
        math.log(options.nu),
        math.log(options.lambda_param),
        options.feature_pool_region_padding,
        options.tree_depth,
        options.cascade_depth,
        math.log(options.num_test_splits),
        math.log(options.feature_pool_size),
    ]
    return [
        float(np.clip(value, axis.low, axis.high))
        for value, axis in zip(place, _SPACE.values(), strict=True)
    ]


def _options_at(place: Sequence[float], start: TrainingOptions) -> TrainingOptions:
    """The options at a place, with the size and the training time of `start`."""
    log_nu, log_lambda, padding, depth, cascades, log_splits, log_pool = place
    depth, cascades = round(depth), round(cascades)
    leaves = start.cascade_depth * start.num_trees_per_cascade_level * 2**start.tree_depth
    # Of a small model not so many cascades that one tree in each would make it larger.
    cascades = min(cascades, max(1, leaves // 2**depth))
    options = replace(
        start,
        nu=math.exp(log_nu),
        lambda_param=math.exp(log_lambda),
        feature_pool_region_padding=padding,
        tree_depth=depth,
        cascade_depth=cascades,
        num_trees_per_cascade_level=max(1, round(leaves / (cascades * 2**depth))),
        num_test_splits=round(math.exp(log_splits)),
        feature_pool_size=round(math.exp(log_pool)),
    )
    starts = start.oversampling_amount * _time_of_start(start) / _time_of_start(options)
    return replace(options, oversampling_amount=max(1, round(starts)))


def _time_of_start(options: TrainingOptions) -> float:
    """Training time for each starting shape, in no unit.

    Measured with dlib 20: a level of a tree takes as long as its splits and 13 more, and looking a
    pixel of a cascade's pool up as long as three splits (of 12 points; less, by comparison, of 68).
    """
    trees = options.cascade_depth * options.num_trees_per_cascade_level
    levels = trees * options.tree_depth * (options.num_test_splits + 13)
    return levels + 3 * options.cascade_depth * options.feature_pool_size


def _changed(options: TrainingOptions, start: TrainingOptions) -> dict[str, float]:
    before = asdict(start)
    return {
        name: value
        for name, value in asdict(options).items()
        if value != before[name] and not math.isclose(value, before[name], rel_tol=1e-6)
    }


def _searcher(trials: Sequence[dict[str, Any]]) -> Any:
    """Dlib's search, which knows the trials so far."""
    dlib = load_dlib()
    axes = _SPACE.values()
    spec = dlib.function_spec(
        [axis.low for axis in axes], [axis.high for axis in axes], [axis.whole for axis in axes]
    )
    known = [dlib.function_evaluation(each["place"], -math.log(each["error"])) for each in trials]
    searcher = dlib.global_function_search([spec], [known], 0.001)
    searcher.set_seed(_SEED + len(trials))
    return searcher

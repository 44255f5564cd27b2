"""What each part of the training data is worth: ``python -m tools.ablation DATA``.

Trains one predictor for each configuration of `CONFIGURATIONS` and each seed, with the same trainer
options and the same number of samples, and measures them on faces held out of the training sets
and on HELEN test. What is done is kept in the work folder, so that a run can be interrupted.
`make ablation` runs it and writes docs/ablation.md.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from efld_dlib.datasets.merl_rav import read_merl_rav
from efld_dlib.datasets.split import choose_photographs
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.detection.framing import match_detections
from efld_dlib.evaluation.evaluate import Evaluation, evaluate
from efld_dlib.files import write_text
from efld_dlib.images import read_image, to_gray
from efld_dlib.parallel import available_cores, parallel_map
from efld_dlib.pose import face_poses
from efld_dlib.prepare.augment import parse_augmentation
from efld_dlib.prepare.build import PrepareOptions, build_training_xml
from efld_dlib.prepare.rarity import OPEN_MOUTH, Weighting, mouth_opening, pose_density
from efld_dlib.records import ImageRecord
from efld_dlib.tables import Table, as_markdown
from efld_dlib.training.options import TrainingOptions
from efld_dlib.training.trainer import train
from efld_dlib.xml.read import read_xml

SAMPLES = 6000
SEEDS = (1, 2, 3)
OPTIONS = TrainingOptions(
    cascade_depth=10, num_trees_per_cascade_level=70, oversampling_amount=2, num_test_splits=20
)


@dataclass(frozen=True)
class Configuration:
    """One row of the ablation: which faces, and what is done to them."""

    name: str
    aflw: bool = False
    mirror: bool = True
    augmentation: str = "none"
    weighting: Weighting = Weighting("none")


BASE = Configuration("300-W + AFLW, mirror + default steps", True, True, "default")

CONFIGURATIONS = (
    Configuration("300-W, nothing", mirror=False),
    Configuration("300-W, mirror"),
    Configuration("300-W, mirror + rotation", augmentation="rotate"),
    Configuration("300-W, mirror + occlusion", augmentation="occlude"),
    Configuration("300-W, mirror + box scatter", augmentation="scatter"),
    Configuration("300-W, mirror + photometric", augmentation="photometric"),
    Configuration("300-W, mirror + out-of-plane turn", augmentation="turn"),
    Configuration("300-W, mirror + all of these", augmentation="all"),
    Configuration("300-W, mirror + default steps", augmentation="default"),
    Configuration("300-W + AFLW, mirror", aflw=True),
    BASE,
    *(
        replace(
            BASE,
            name=f"the last + {kind} {gamma}, cap {cap}",
            weighting=Weighting(kind, gamma, cap),
        )
        for kind, gamma, cap in (
            ("pose-density", 0.25, 2),
            ("pose-density", 0.5, 4),
            ("pose-density", 1.0, 8),
            ("classes", 0.25, 2),
            ("classes", 0.5, 4),
            ("classes", 1.0, 6),
        )
    ),
)


@dataclass(frozen=True)
class Faces:
    """All faces of the experiment."""

    w300: list[ImageRecord]
    aflw: list[ImageRecord]
    held_out_w300: list[ImageRecord]
    held_out_aflw: list[ImageRecord]
    helen_test: list[ImageRecord]


def read_faces(data: Path) -> Faces:
    """Read the sets below `data`, and hold out a tenth of the training photographs."""
    sets = [list(read_w300(data / "300w", "train")), list(read_merl_rav(data / "aflw"))]
    parts = []
    for records in sets:
        names = [record.photograph for record in records]
        held_out = choose_photographs(names, 0.1, np.random.default_rng(1))
        parts.append([record for record in records if record.photograph not in held_out])
        parts.append([record for record in records if record.photograph in held_out])
    test = list(read_w300(data / "300w", "helen/testset"))
    return Faces(parts[0], parts[2], parts[1], parts[3], _with_detector_boxes(test))


def _with_detector_boxes(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """The records that the detector finds, with its boxes."""
    found = parallel_map(_detector_box, list(records), available_cores())
    return [record for record in found if record.faces[0].box is not None]


def _detector_box(record: ImageRecord) -> ImageRecord:
    boxes = match_detections(record.faces, FrontalDetector()(to_gray(read_image(record.path))))
    return replace(record, faces=(replace(record.faces[0], box=boxes[0]),))


def run_one(
    configuration: Configuration,
    seed: int,
    faces: Faces,
    validation: dict[str, Path],
    work: Path,
    samples: int = SAMPLES,
    trees: int = OPTIONS.num_trees_per_cascade_level,
) -> dict[str, Any]:
    """Train one predictor and measure it; the errors of each face in each set."""
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    options = PrepareOptions(
        mirror=configuration.mirror,
        augmentation=parse_augmentation(configuration.augmentation),
        weighting=configuration.weighting,
        budget=samples,
        validation=0,
        seed=seed,
    )
    records = faces.w300 + (faces.aflw if configuration.aflw else [])
    build_training_xml(records, folder, options, detections=work / _cache(configuration.aflw))
    model = folder / "model.dat"
    trainer = replace(OPTIONS, num_trees_per_cascade_level=trees, random_seed=str(seed))
    result = train(folder / "train.xml", model, trainer, measure=False)
    outcomes = {name: evaluate(model, read_xml(xml), "file") for name, xml in validation.items()}
    outcomes["helen-test"] = evaluate(model, faces.helen_test, "file")
    return {
        "configuration": configuration.name,
        "seed": seed,
        "seconds": round(result.seconds),
        **{name: _errors(outcome) for name, outcome in outcomes.items()},
    }


def _cache(aflw: bool) -> str:
    # One for each set of pictures, since a build keeps only what it asked for.
    return f"detections-{'both' if aflw else '300w'}.sqlite"


def _errors(outcome: Evaluation) -> dict[str, list[float]]:
    return {
        by: [round(float(error), 6) for error in outcome.errors_by(by)]
        for by in ("inter-ocular", "box")
    }


Group = Callable[[Sequence[ImageRecord]], np.ndarray]


def _poses(records: Sequence[ImageRecord]) -> np.ndarray:
    return face_poses([record.faces[0] for record in records])


def _between(angle: int, low: float, high: float) -> Group:
    def members(records: Sequence[ImageRecord]) -> np.ndarray:
        values = np.abs(_poses(records)[:, angle])
        return (values >= low) & (values < high)

    return members


def _mouth_open(records: Sequence[ImageRecord]) -> np.ndarray:
    return mouth_opening([record.faces[0] for record in records]) > OPEN_MOUTH


GROUPS: dict[str, Group] = {
    "|yaw| 0-15": _between(0, 0, 15),
    "15-30": _between(0, 15, 30),
    "30+": _between(0, 30, 181),
    "|roll| 0-10": _between(2, 0, 10),
    "10-20": _between(2, 10, 20),
    "20+": _between(2, 20, 181),
    "mouth closed": lambda records: ~_mouth_open(records),
    "open": _mouth_open,
}


class Report:
    """Tables of the mean and spread over the seeds."""

    def __init__(self, runs: list[dict[str, Any]], faces: Faces) -> None:
        self.runs = runs
        self.held_out = [*faces.held_out_w300, *faces.held_out_aflw]
        self.helen = faces.helen_test
        known = _poses([*faces.w300, *faces.aflw])
        density = pose_density(known, _poses(self.held_out))
        # A pose that its landmarks do not tell is a profile, and so among the rarest.
        order = np.argsort(np.nan_to_num(density, nan=-1.0))
        self.rarest = np.zeros(len(self.held_out), dtype=bool)
        self.rarest[order[: round(0.1 * len(order))]] = True

    def errors(self, run: dict[str, Any], part: str, by: str) -> np.ndarray:
        """Errors of the faces of a part in per cent."""
        if part == "held-out":
            joined = run["held-out 300-W"][by] + run["held-out AFLW"][by]
            return 100 * np.array(joined)
        return 100 * np.array(run[part][by])

    def cell(self, name: str, part: str, by: str, members: np.ndarray | None = None) -> str:
        """Mean over the seeds of the mean error, and its standard deviation."""
        means = []
        for run in self.of(name):
            errors = self.errors(run, part, by)
            means.append(np.nanmean(errors if members is None else errors[members]))
        spread = np.std(means, ddof=1) if len(means) > 1 else float("nan")
        return f"{np.mean(means):.2f} ± {spread:.2f}"

    def of(self, name: str) -> list[dict[str, Any]]:
        """Runs of a configuration."""
        return [run for run in self.runs if run["configuration"] == name]

    def markdown(self) -> str:
        """All tables."""
        overall = [
            ("held-out 300-W", "held-out 300-W", "inter-ocular", None),
            ("HELEN test", "helen-test", "inter-ocular", None),
            ("held-out AFLW (box)", "held-out AFLW", "box", None),
            ("both held-out (box)", "held-out", "box", None),
            ("rarest tenth (box)", "held-out", "box", self.rarest),
        ]
        sections = [self.table("Held-out faces and HELEN test", overall)]
        for title, part, records in (
            ("Held-out faces, 300-W and AFLW", "held-out", self.held_out),
            ("HELEN test", "helen-test", self.helen),
        ):
            columns = []
            for group, members in GROUPS.items():
                inside = members(records)
                columns.append((f"{group} ({inside.sum()})", part, "box", inside))
            sections.append(self.table(f"{title}, by pose and expression", columns))
        return "\n".join(map(as_markdown, sections))

    def table(self, title: str, columns: Sequence[tuple]) -> Table:
        """A row a configuration; a column is its title and what `cell` takes."""
        names = [c.name for c in CONFIGURATIONS if self.of(c.name)]
        rows = [(name, *(self.cell(name, *column[1:]) for column in columns)) for name in names]
        return Table(title, ("training data", *(column[0] for column in columns)), rows)


def _finished(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _validation_sets(faces: Faces, work: Path) -> dict[str, Path]:
    sets = {"held-out 300-W": faces.held_out_w300, "held-out AFLW": faces.held_out_aflw}
    options = PrepareOptions(
        mirror=False, variants=1, augmentation=(), weighting=Weighting("none"), validation=0
    )
    for name, records in sets.items():
        build_training_xml(records, work / name, options)
    return {name: work / name / "train.xml" for name in sets}


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--work", type=click.Path(path_type=Path), default=Path("build/ablation"))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Markdown file.")
@click.option("--samples", default=SAMPLES, show_default=True, help="Training samples.")
@click.option(
    "--trees",
    default=OPTIONS.num_trees_per_cascade_level,
    show_default=True,
    help="Trees of a cascade.",
)
@click.option("--only", default="", help="Configurations with this regular expression in them.")
def main(data: Path, work: Path, output: Path | None, samples: int, trees: int, only: str) -> None:
    """Run the ablation on the sets below DATA (300w/ and aflw/).

    The work folder keeps what is done; give another size its own.
    """
    work.mkdir(parents=True, exist_ok=True)
    faces = read_faces(data)
    validation = _validation_sets(faces, work)
    results = work / "runs.jsonl"
    runs = _finished(results)
    done = {(run["configuration"], run["seed"]) for run in runs}
    for seed in SEEDS:
        for configuration in CONFIGURATIONS:
            name = configuration.name
            if (name, seed) in done or not re.search(only, name):
                continue
            run = run_one(configuration, seed, faces, validation, work, samples, trees)
            runs.append(run)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
            click.echo(f"seed {seed}: {name} ({run['seconds']} s)", err=True)
    tables = Report(runs, faces).markdown()
    if output:
        write_text(output, tables)
    click.echo(tables)


if __name__ == "__main__":
    main()

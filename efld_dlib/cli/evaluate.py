"""``efld-dlib evaluate``: the error of models on annotated faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import OptionError, Problems
from . import options as common
from .model import models_or_package, split_arguments

if TYPE_CHECKING:
    from ..detection.prediction import Quality
    from ..evaluation.evaluate import Boxes
    from ..evaluation.figures import Study


boxes_option = click.option(
    "--boxes",
    type=click.Choice(["detector", "pipeline", "ground-truth", "file"]),
    default="pipeline",
    help="Boxes to start from: what dlib's detector finds; what `detect` finds, with all that "
    "it does about landmarks (pipeline, the only one with a --quality); the box that the "
    "detector would give for the true landmarks; or the boxes in the data.",
)


resamples_option = click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=2000,
    help="Number of bootstrap sets for the 95 % intervals; 0 for none.",
)
# The default of `prepare` and `network train`.
_SPLIT_SEED = 1


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="[MODEL]... DATA...")
@common.measured_subset_option
@common.measured_part_option
@common.scheme_option
@boxes_option
@click.option(
    "--detector",
    help="Detector of the pipeline, as of `detect`; FILE.svm for things that are no faces "
    "[default: fast].",
)
@common.quality_option
@click.option(
    "--by",
    type=click.Choice(["inter-ocular", "inter-pupil", "box"]),
    help="Distance that errors are divided by in all figures but the NME, which is given by all "
    "three [default: inter-ocular, or what the scheme of other landmarks says].",
)
@resamples_option
@click.option(
    "-o",
    "--output",
    "outputs",
    type=common.PATH,
    multiple=True,
    metavar="FILE",
    help="File for the result too; the suffix decides: figures.json, faces.csv (one row per face "
    "and model), tables.md, curves.png or .svg (the error distribution), or a folder for a page "
    "(index.html) with tables, curves and faces. The page holds images of the data: mind their "
    "licence before you pass it on. May be repeated.",
)
@common.jobs_option
@common.collects_problems
def evaluate(
    arguments: tuple[str, ...],
    subset: str | None,
    held_out: float,
    scheme: str | None,
    boxes: Boxes,
    detector: str | None,
    quality: Quality,
    by: str | None,
    resamples: int,
    outputs: tuple[Path, ...],
    jobs: int | None,
    problems: Problems,
) -> None:
    """Measure one or more MODELs on each DATA.

    A MODEL is a file ending in .dat or .efld; NAME=FILE gives it a name for the tables, and without
    one the model of the package is measured. Models of some landmarks only, such as the eyes, are
    measured on those, and several models on the landmarks that all of them have. DATA is a dlib XML
    file, a 300-W tree, a folder with .pts files, or another data set as NAME:PATH; `efld-dlib xml
    convert --help` lists the names. Measured are its test faces and what `detect` makes of them,
    unless --subset or --boxes say otherwise; data without a test part is measured whole. The first
    line printed says which. --held-out goes by the default seed of `prepare` and `network train`.

    Prints the normalised mean error (NME) by the distance of the outer eye corners, by that of the
    pupils and by the face's size, AUC and failure rates, errors by region and by head pose, and for
    several models how each differs from the first. Faces that the detector misses are counted: they
    are failures, and are in no mean.

    \b
    Examples:
      efld-dlib evaluate 300w/
      efld-dlib evaluate build/efld.dat 300w/ --subset helen/testset --boxes detector
      efld-dlib evaluate merl-rav:aflw/ --held-out 0.1
      efld-dlib evaluate new.dat old=build/efld.dat 300w/ wflw:WFLW/ -o report/
      efld-dlib evaluate build/efld.dat training_xml/validation.xml --boxes file -o figures.json
    """
    from ..evaluation.evaluate import evaluate_models
    from ..evaluation.figures import headline, study, study_tables
    from ..models.loading import model_scheme
    from ..tables import as_text

    models, sources = split_arguments(arguments)
    if not sources:
        raise OptionError("no data is given: name an .xml file, a folder or NAME:PATH")
    writers = [(target, _writer(target)) for target in outputs]
    models = models_or_package(models)
    for path in models.values():
        model_scheme(path)
    studies = []
    for source in sources:
        records, name = common.measured_records(
            source, subset, held_out, _SPLIT_SEED, problems, scheme
        )
        name += f", {held_out:.0%} held out" if held_out else ""
        outcomes = evaluate_models(
            models, records, boxes, jobs, problems, True, name, quality, detector
        )
        studies.append(study(name, boxes, outcomes, by, resamples))
        tables = [as_text(table) for table in study_tables(studies[-1])]
        click.echo("\n\n".join([headline(studies[-1]), *tables]) + "\n")
    for target, write in writers:
        write(target, studies)


def _writer(target: Path) -> Callable[[Path, Sequence[Study]], object]:
    """What writes a file of that suffix.

    Raises
    ------
    OptionError, MissingDependencyError
        Unknown suffix; or it takes matplotlib, which is not installed.
    """
    from ..evaluation.charts import SUFFIXES, plot_ced, require_plotting
    from ..evaluation.export import write_faces, write_figures
    from ..evaluation.report import write_report

    suffix = target.suffix.lower()
    if suffix in SUFFIXES:
        require_plotting()
    known = {
        ".json": write_figures,
        ".csv": write_faces,
        ".md": _write_markdown,
        **dict.fromkeys(SUFFIXES, plot_ced),
        "": write_report,
    }
    if suffix not in known:
        raise OptionError(f"'{target}' ends in none of {', '.join(filter(None, known))}")
    return known[suffix]


def _write_markdown(target: Path, studies: Sequence[Study]) -> None:
    from ..evaluation.figures import headline, study_tables
    from ..files import write_text
    from ..tables import as_markdown

    parts = []
    for each in studies:
        parts += [f"## {each.data}", "", f"{headline(each)}.", ""]
        parts += [as_markdown(table) for table in study_tables(each)]
    write_text(target, "\n".join(parts))

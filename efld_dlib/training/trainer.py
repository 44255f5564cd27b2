"""The faces of an XML file, checked before anything is done with them that takes hours."""

from __future__ import annotations

import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..backend import load_dlib
from ..errors import DataError, OptionError, TrainingError
from ..evaluation.evaluate import evaluate
from ..evaluation.metrics import normaliser_title, usual_normaliser
from ..files import atomic_path, is_file, sha256, write_json
from ..landmarks import FACE_68, Scheme, correspondence
from ..models.dat import dat_bytes
from ..models.loading import load_arrays
from ..models.subset import parse_points, select_points, slim
from ..parallel import available_cores
from ..prepare.build import TRAIN_XML, VALIDATION_XML
from ..records import FaceAnnotation, ImageRecord
from ..xml.read import XmlStream, read_xml, read_xml_checked, xml_scheme
from ..xml.write import write_xml
from .options import (
    DEFAULT_PRESET,
    Preset,
    TrainingOptions,
    find_preset,
    override_options,
    require_memory,
    training_memory,
)
from .process import Progress, run_worker
from .refit import RUNS, SEED, refit_leaves


def read_records(xml: Path, scheme: Scheme | None = None) -> list[ImageRecord]:
    """The pictures of `xml` that have faces, all of which are there.

    Parameters
    ----------
    xml : Path
    scheme : Scheme, optional
        Of the parts; by default what the file says.

    Raises
    ------
    DataError
        The XML is wrong, has no face, or names a picture that is missing.
    """
    records = [record for record in read_xml_checked(xml, scheme) if record.faces]
    if not records:
        raise DataError(xml, "has no face in it")
    return records


def read_training_records(
    xml: Path, scheme: Scheme | None = None, points: str | None = None
) -> tuple[list[ImageRecord], Scheme]:
    """The same, in which dlib's trainer will find what it needs, and the landmarks to train.

    These are the ones that some face has: dlib's trainer knows of no others.

    Parameters
    ----------
    xml, scheme
        As of `read_records`.
    points : str, optional
        Only these landmarks, as `models.subset.parse_points` takes them.

    Raises
    ------
    DataError
        As in `read_records`; dlib cannot open a picture's name, or a face has no landmark.
    OptionError
        `points` names no landmark of the scheme.
    """
    scheme = scheme or xml_scheme(xml)
    records = read_records(xml, scheme)
    kept = None if points is None else parse_points(points, scheme)
    for record in records:
        name = record.photograph
        # They need XML entities, which dlib's parser does not decode in attributes.
        if any(sign in name for sign in "&<>") or ("'" in name and '"' in name):
            raise DataError(
                xml,
                f"names a picture that dlib cannot open, for the characters in it: "
                f"{name} (rename it, or let 'efld-dlib prepare' make crops)",
            )
        if not all(face.given.any() for face in record.faces):
            raise DataError(xml, f"has a face without landmarks in {record.path}")
    given = np.any([face.given for record in records for face in record.faces], axis=0)
    chosen = [place for place in np.flatnonzero(given).tolist() if kept is None or place in kept]
    if not chosen:
        raise DataError(xml, f"has no face with any of the landmarks {points}")
    return records, scheme.select(chosen)


def of_scheme(records: Iterable[ImageRecord], scheme: Scheme) -> list[ImageRecord]:
    """The faces with the landmarks of `scheme`, which is part of theirs; those without any of them
    are left out.
    """
    converted = (
        replace(record, faces=tuple(_part_of(face, scheme) for face in record.faces))
        for record in records
    )
    kept = (
        replace(record, faces=tuple(face for face in record.faces if face.given.any()))
        for record in converted
    )
    return [record for record in kept if record.faces]


def measurable(records: list[ImageRecord], scheme: Scheme) -> list[ImageRecord]:
    """The faces as a model of `scheme`, which is part of theirs, is measured on them.

    They stay whole, as errors may be divided by the distance of points that the model lacks, except
    where numbers alone do not say which point is which (`landmarks.correspondence`).
    """
    if all(correspondence(scheme, face.scheme) for record in records for face in record.faces):
        return records
    return of_scheme(records, scheme)


def _part_of(face: FaceAnnotation, scheme: Scheme) -> FaceAnnotation:
    # By name within the one file, where also numbers mean the same.
    places = [face.scheme.points.index(name) for name in scheme.points]
    occluded = None if face.occluded is None else face.occluded[places]
    return replace(face, points=face.points[places], occluded=occluded, scheme=scheme)


_REMAINING = re.compile(r"Time remaining: ([0-9.e+-]+) (second|minute|hour)")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}

DATA_LICENCE = "that of its training data; 300-W and AFLW allow non-commercial research only"
OTHER_LICENCE = "that of its training data"
"""What is said of a trained model, of faces and of other things, unless something else is known of
its training data."""


@dataclass(frozen=True)
class TrainingResult:
    """A trained predictor and what is known of it.

    Parameters
    ----------
    model : Path
        The `.dat` file.
    report : Path
        The JSON beside it, which holds all of this.
    bytes : int
        Size of the `.dat`.
    seconds : float
        Time that dlib's trainer took, and fitting the leaves anew.
    faces : int
        Faces trained on, copies counted.
    train_nme, validation_nme : float or None
        Error on each part, as fractions of the normaliser; None without such a part, or where none
        of its faces has what that needs.
    scheme : Scheme
        What the landmarks are, in the order in which the model gives them.
    normaliser : str
        What errors are divided by: the usual normaliser of the data's scheme, which may be of
        landmarks that the model does not have.
    """

    model: Path
    report: Path
    bytes: int
    seconds: float
    faces: int
    train_nme: float | None
    validation_nme: float | None
    scheme: Scheme = FACE_68
    normaliser: str = "inter-ocular"


def train(
    data: str | Path,
    output: str | Path,
    options: TrainingOptions | None = None,
    validation: str | Path | None = None,
    *,
    preset: str | None = None,
    refit: float | None = None,
    slim_file: bool | None = None,
    licence: str | None = None,
    scheme: Scheme | None = None,
    points: str | None = None,
    force: bool = False,
    measure: bool = True,
    jobs: int | None = None,
    on_progress: Progress | None = None,
    **overrides: Any,
) -> TrainingResult:
    """Train a shape predictor with dlib's own trainer, as ``efld-dlib train`` does.

    Parameters
    ----------
    data : path
        A folder that `efld_dlib.build_training_xml` wrote, or a dlib XML file of training faces.
    output : path
        The `.dat` to write. An earlier file stays as it is until the new one is whole.
    options : TrainingOptions, optional
        Of dlib's trainer, in place of a preset.
    validation : path, optional
        XML of faces that are not trained on, to measure the error; by default that of a folder.
    preset : str, optional
        A key of `efld_dlib.training.options.PRESETS`: options of dlib's trainer, and whether the
        leaves are fitted again and the file is slim. Without `options` it is ``"standard"``.
    refit : float, optional
        Ridge with which the leaves are fitted again after dlib's training, from 1e-6 to 1e6; 0
        leaves them as they are. By default as the preset says; with `options`, not at all.
    slim_file : bool, optional
        Whether the numbers are written with short mantissas, in two thirds of the bytes
        (`efld_dlib.models.subset`). By default as the preset says; with `options`, not.
    licence : str, optional
        The model's, for the report, from which `efld-dlib model info` and `compress` take it; by
        default `DATA_LICENCE`.
    scheme : Scheme, optional
        What the landmarks are; by default what the XML says.
    points : str, optional
        Train only these landmarks: names, numbers, ranges or parts such as ``eyes``.
    force : bool
        Train even if the memory that is free seems too small.
    measure : bool
        Measure the error on the training faces, which takes a while where there are many.
    jobs : int, optional
        Processes for the measurements, and threads of dlib's trainer if `num_threads` is 0; by
        default one per core.
    on_progress : callable, optional
        Called with the fraction of dlib's training that is done.
    **overrides
        Fields of `TrainingOptions` with other values than `options` or the preset have.

    Returns
    -------
    TrainingResult

    Raises
    ------
    DataError
        The XML is wrong, has no face, or names a picture that is missing.
    OptionError
        Unknown preset or override, an invalid value, or both `options` and a preset.
    TrainingError
        dlib refused the data, or the memory will not do.
    """
    if options is None:
        preset = preset or DEFAULT_PRESET
        chosen = find_preset(preset)
    elif isinstance(options, TrainingOptions) and preset is None:
        chosen = Preset(options, "")
    else:
        raise OptionError("give TrainingOptions, or a preset by its name as preset='nano'")
    options = override_options(chosen.options, overrides)
    ridge = chosen.ridge if refit is None else refit
    if ridge and not 1e-6 <= ridge <= 1e6:
        raise OptionError(f"the ridge must be between 1e-6 and 1e6, not {ridge}")
    slim_file = chosen.slim if slim_file is None else slim_file
    output = Path(output)
    xml, validation = training_files(Path(data), validation)
    # The report says with how many threads, since without that the run cannot be repeated exactly.
    options = replace(options, num_threads=options.num_threads or jobs or available_cores())
    whole = scheme or xml_scheme(xml)
    records, scheme = read_training_records(xml, whole, points)
    held_out = None
    if validation is not None:
        held_out = measurable(read_records(Path(validation), whole), scheme)
    faces = sum(face.copies for record in records for face in record.faces)
    if not force:
        require_memory(
            training_memory(records, faces, options),
            f"training on {faces} faces",
            f"lower oversampling_amount (now {options.oversampling_amount}), train on fewer faces, "
            "or insist with --force",
        )
    trained = of_scheme(records, scheme)
    started = time.monotonic()
    with atomic_path(output) as temporary:
        with _training_xml(xml, trained, points) as (file, names):
            run_worker("predictor", file, temporary, asdict(options), _Remaining(on_progress))
        if on_progress is not None:
            on_progress(1.0)
        # dlib gives the landmarks in the order in which it sorts their names.
        order = [sorted(names).index(name) for name in names]
        if order != sorted(order) or ridge or slim_file:
            _improve(temporary, trained, order, ridge, slim_file)
    seconds = time.monotonic() - started
    written = output.stat()
    result = TrainingResult(
        model=output,
        report=output.with_suffix(".json"),
        bytes=written.st_size,
        seconds=seconds,
        faces=faces,
        train_nme=None,
        validation_nme=None,
        scheme=scheme,
        normaliser=normaliser_title(usual_normaliser(whole), whole),
    )
    about = _describe(output, scheme)
    result = replace(
        result,
        train_nme=_nme(output, measurable(records, scheme), jobs) if measure else None,
        validation_nme=None if held_out is None else _nme(output, held_out, jobs),
    )
    # Renaming made a new file, so another run's is another one.
    if not os.path.samestat(written, output.stat()):
        raise TrainingError(f"{output} was replaced by another run meanwhile; its report is not")
    report = {
        "model": output.name,
        **about,
        "preset": preset,
        "options": asdict(options),
        "seed": options.random_seed,
        "data": {"xml": xml.name, "sha256": sha256(xml), "faces": faces},
        "nme": {"train": result.train_nme, "validation": result.validation_nme},
        "seconds": round(seconds, 1),
        "versions": {
            "efld_dlib": __version__,
            "dlib": load_dlib().__version__,
            "python": sys.version.split()[0],
        },
        "licence": (DATA_LICENCE if scheme.face else OTHER_LICENCE) if licence is None else licence,
        "refit": {"ridge": ridge, "runs": RUNS, "seed": SEED} if ridge else None,
        "slim": slim_file,
    }
    write_json(result.report, report)
    return result


def training_files(data: Path, validation: str | Path | None) -> tuple[Path, str | Path | None]:
    """The XML to train on and the one to measure on, where `data` may be the folder of both."""
    if not data.is_dir():
        return data, validation
    held_out = data / VALIDATION_XML
    if validation is None and is_file(held_out) and any(r.faces for r in read_xml(held_out)):
        validation = held_out
    return data / TRAIN_XML, validation


def _nme(model: Path, records: list[ImageRecord], jobs: int | None) -> float | None:
    nme = evaluate(model, records, boxes="file", jobs=jobs).nme
    return nme if math.isfinite(nme) else None


@contextmanager
def _training_xml(
    xml: Path, records: list[ImageRecord], points: str | None
) -> Iterator[tuple[Path, list[str]]]:
    """The XML for dlib, and the names in it of the landmarks to train, in their order."""
    scheme = records[0].faces[0].scheme
    names = _names_in(xml, scheme)
    # To dlib, 7 and 07 are two landmarks.
    if points is None and len(names) == scheme.size:
        yield xml, names
        return
    with tempfile.TemporaryDirectory(prefix="efld-train-") as folder:
        file = Path(folder) / xml.name
        write_xml(file, records)
        yield file, list(scheme.points)


def _names_in(xml: Path, scheme: Scheme) -> list[str]:
    """What a file calls the landmarks that it has: 7 may be written for 07."""
    names = {
        part.attributes.get("name", "")
        for image in XmlStream(xml, tolerated=("encoding", "escape", "misplaced")).images()
        for box in image.each("box")
        if not box.ignored
        for part in box.each("part")
    }
    return sorted(names, key=lambda name: scheme.index(name) or 0)


def _improve(
    model: Path, records: list[ImageRecord], order: list[int], ridge: float, slim_file: bool
) -> None:
    predictor = select_points(load_arrays(model), order)
    if ridge:
        predictor = refit_leaves(predictor, records, ridge)
    model.write_bytes(dat_bytes(slim(predictor) if slim_file else predictor))


def measured_model(
    records: Sequence[ImageRecord], scheme: Scheme, options: TrainingOptions, folder: Path
) -> Path:
    """A predictor of `records`, whose landmarks are those of `scheme`, trained into a folder with
    no more about it than its evaluation needs.
    """
    xml, model = folder / "train.xml", folder / "model.dat"
    write_xml(xml, records)
    run_worker("predictor", xml, model, asdict(options), lambda text: None)
    order = [sorted(scheme.points).index(name) for name in scheme.points]
    if order != sorted(order):
        _improve(model, [], order, 0.0, False)
    _describe(model, scheme)
    return model


def _describe(model: Path, scheme: Scheme) -> dict[str, Any]:
    """Let whoever measures the model learn what its landmarks are, from the file beside it."""
    about = {"bytes": model.stat().st_size, "scheme": scheme.state()}
    write_json(model.with_suffix(".json"), about)
    return about


class _Remaining:
    """Reads dlib's output: its "Time remaining" says how far it is."""

    def __init__(self, on_progress: Progress | None) -> None:
        self.on_progress = on_progress
        self.started: float | None = None

    def __call__(self, text: str) -> None:
        if self.started is None and "Fitting trees" in text:
            self.started = time.monotonic()
        remaining = _REMAINING.findall(text)
        if remaining and self.started is not None and self.on_progress is not None:
            number, unit = remaining[-1]
            elapsed = time.monotonic() - self.started
            left = float(number) * _SECONDS[unit]
            self.on_progress(min(elapsed / (elapsed + left), 1.0) if elapsed + left > 0 else 0.0)

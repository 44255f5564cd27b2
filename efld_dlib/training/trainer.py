"""The faces of an XML file, checked before anything is done with them that takes hours."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from .. import __version__
from ..backend import load_dlib
from ..errors import DataError, OptionError, TrainingError
from ..evaluation.evaluate import evaluate
from ..files import atomic_path, is_file, sha256, write_json
from ..landmarks import part_name
from ..models.dat import dat_bytes
from ..models.loading import load_arrays
from ..models.subset import slim
from ..parallel import available_cores
from ..prepare.build import TRAIN_XML, VALIDATION_XML
from ..records import ImageRecord
from ..xml.read import read_xml, read_xml_checked
from .options import (
    DEFAULT_PRESET,
    Preset,
    TrainingOptions,
    find_preset,
    override_options,
    require_memory,
    training_memory,
)
from .refit import RUNS, SEED, refit_leaves


def read_records(xml: Path) -> list[ImageRecord]:
    """The pictures of `xml` that have faces, all of which are there.

    Raises
    ------
    DataError
        The XML is wrong, has no face, or names a picture that is missing.
    """
    records = [record for record in read_xml_checked(xml) if record.faces]
    if not records:
        raise DataError(xml, "has no face in it")
    return records


def read_training_records(xml: Path) -> list[ImageRecord]:
    """The same, in which dlib's trainer will find what it needs.

    Raises
    ------
    DataError
        As in `read_records`; dlib cannot open a picture's name, a face has no landmark, or a
        landmark is in no face.
    """
    records = read_records(xml)
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
    if not given.all():
        # dlib would train a predictor of fewer landmarks, and count them otherwise.
        names = ", ".join(part_name(int(index)) for index in np.flatnonzero(~given))
        raise DataError(xml, f"has no face with landmark {names}")
    return records


_REMAINING = re.compile(r"Time remaining: ([0-9.e+-]+) (second|minute|hour)")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}

DATA_LICENCE = "that of its training data; 300-W and AFLW allow non-commercial research only"
"""What is said of a trained model unless something else is known of its training data."""

Progress = Callable[[float], None]
"""Called with the fraction of the training that is done, between 0 and 1."""


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
        Error on each part, as fractions of the inter-ocular distance; None without such a part, or
        where none of its faces has both outer eye corners.
    """

    model: Path
    report: Path
    bytes: int
    seconds: float
    faces: int
    train_nme: float | None
    validation_nme: float | None


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
    xml, validation = _training_files(Path(data), validation)
    # The report says with how many threads, since without that the run cannot be repeated exactly.
    options = replace(options, num_threads=options.num_threads or jobs or available_cores())
    records = read_training_records(xml)
    held_out = read_records(Path(validation)) if validation is not None else None
    faces = sum(face.copies for record in records for face in record.faces)
    if not force:
        require_memory(
            training_memory(records, faces, options),
            f"training on {faces} faces",
            f"lower oversampling_amount (now {options.oversampling_amount}), train on fewer faces, "
            "or insist with --force",
        )
    started = time.monotonic()
    with atomic_path(output) as temporary:
        _run_worker(xml, temporary, options, on_progress)
        if ridge or slim_file:
            predictor = load_arrays(temporary)
            predictor = refit_leaves(predictor, records, ridge) if ridge else predictor
            temporary.write_bytes(dat_bytes(slim(predictor) if slim_file else predictor))
    seconds = time.monotonic() - started
    written = output.stat()
    result = TrainingResult(
        model=output,
        report=output.with_suffix(".json"),
        bytes=written.st_size,
        seconds=seconds,
        faces=faces,
        train_nme=_nme(output, records, jobs) if measure else None,
        validation_nme=_nme(output, held_out, jobs) if held_out is not None else None,
    )
    # Renaming made a new file, so another run's is another one.
    if not os.path.samestat(written, output.stat()):
        raise TrainingError(f"{output} was replaced by another run meanwhile; its report is not")
    report = {
        "model": output.name,
        "bytes": result.bytes,
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
        "licence": DATA_LICENCE if licence is None else licence,
        "refit": {"ridge": ridge, "runs": RUNS, "seed": SEED} if ridge else None,
        "slim": slim_file,
    }
    write_json(result.report, report)
    return result


def _training_files(data: Path, validation: str | Path | None) -> tuple[Path, str | Path | None]:
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


def _run_worker(
    xml: Path, output: Path, options: TrainingOptions, on_progress: Progress | None
) -> None:
    """Train in a child process, which is killed if this one is interrupted."""
    load_dlib()
    job = json.dumps({"xml": str(xml), "output": str(output), "options": asdict(options)})
    with (
        # A file, since dlib would wait for whoever reads a pipe.
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            [sys.executable, "-m", "efld_dlib.training.worker", job],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as child,
    ):
        assert child.stdout is not None
        try:
            _follow(child.stdout, on_progress)
            code = child.wait()
        finally:
            # Also on Ctrl-C: dlib itself does not hear it.
            child.kill()
        complaints.seek(0)
        said = complaints.read().decode("utf-8", "replace").strip().splitlines()
    if code != 0:
        reason = said[-1] if said else f"the trainer ended with code {code}"
        if "serializ" in reason:  # what dlib says if the disk is full
            raise OSError(errno.EIO, reason, str(output))
        raise TrainingError(f"dlib could not train on {xml}: {reason}")
    if on_progress is not None:
        on_progress(1.0)


def _follow(stream: IO[bytes], on_progress: Progress | None) -> None:
    """Read dlib's output to its end; its "Time remaining" says how far it is."""
    started: float | None = None
    text = ""
    while chunk := stream.read1(4096):  # type: ignore[attr-defined]
        text = (text + chunk.decode("utf-8", "replace"))[-200:]
        if started is None and "Fitting trees" in text:
            started = time.monotonic()
        remaining = _REMAINING.findall(text)
        if remaining and started is not None and on_progress is not None:
            number, unit = remaining[-1]
            elapsed = time.monotonic() - started
            left = float(number) * _SECONDS[unit]
            on_progress(min(elapsed / (elapsed + left), 1.0) if elapsed + left > 0 else 0.0)

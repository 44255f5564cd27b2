"""From annotated pictures to the files of a face detector."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from ...annotation import ImageRecord
from ...detection.frame import BoxMap
from ...detection.start import START_FILE
from ...detection.verifier import Verifier
from ...detection.verifier_file import VERIFIER_FILE, load_verifier, save_verifier
from ...detection.views import VIEWS, View
from ...detection.windows import SUFFIX
from ...errors import DataError, OptionError, Problems
from ...files import write_json, write_text
from ...parallel import parallel_map, resolve_jobs
from .faces import DetectorFace, detector_faces
from .mining import MinedPicture, MiningOptions, mine
from .network import NetworkOptions, fit_network
from .samples import Examples, SampleOptions, face_examples
from .windows import WindowOptions, train_windows

REPORT = "detector.json"
LICENCE = "LICENSE.txt"
_LICENCE_TEXT = """\
The files in this folder were trained on photographs of 300-W (AFW, HELEN, LFPW) and of AFLW, whose
authors allow non-commercial research only. They may be used for that alone; the MIT licence of the
program that reads them does not cover them.
"""


@dataclass(frozen=True)
class DetectorOptions:
    """How a detector is trained.

    Parameters
    ----------
    windows, samples, network, mining
        Of the four steps.
    rounds : int
        How often the verifier is shown its own mistakes and fitted anew.
    validation : float
        Fraction of the photographs that is held out, the same as by `prepare`.
    seed : int

    Raises
    ------
    OptionError
        A number is out of its range.
    """

    windows: WindowOptions = field(default_factory=WindowOptions)
    samples: SampleOptions = field(default_factory=SampleOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    mining: MiningOptions = field(default_factory=MiningOptions)
    rounds: int = 2
    validation: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise OptionError(f"validation must be from 0 to below 1, not {self.validation}")
        for name in ("rounds", "seed"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} must not be negative, as {getattr(self, name)} is")


def train_detector(
    records: Sequence[ImageRecord],
    output: Path,
    cache: Path,
    options: DetectorOptions | None = None,
    jobs: int | None = None,
    problems: Problems | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Path:
    """Train the sub-detectors and the verifier.

    Parameters
    ----------
    records : sequence of ImageRecord
        Pictures with 68 landmarks, of all poses.
    output : Path
        Folder for the detector's files.
    cache : Path
        File that keeps what dlib's detector finds, as in `prepare.build.build_training_xml`.
    options : DetectorOptions, optional
    jobs : int, optional
        Number of processes; by default one a core. It does not change the result.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.
    report : callable
        Called with a line about each step.

    Raises
    ------
    DataError
        There is no face to train on.
    """
    options = options or DetectorOptions()
    problems = problems if problems is not None else Problems(strict=True)
    jobs = resolve_jobs(jobs)
    faces, frame = detector_faces(
        records, cache, jobs, problems, options.validation, options.seed, True
    )
    training = [face for face in faces if not face.held_out]
    if not training:
        raise DataError(output, "there is no usable face to train a detector on")
    report(f"{len(training)} faces to train on, {len(faces) - len(training)} held out")
    output.mkdir(parents=True, exist_ok=True)
    train_one = partial(_train_view, faces=training, frame=frame, output=output, options=options)
    for view, size in zip(VIEWS, parallel_map(train_one, list(VIEWS), jobs, 1), strict=True):
        report(f"{view.name}: {size} bytes")
    examples = face_examples(training, frame, options.samples, jobs, True)
    _fit([examples], output, options, report)
    held_out = {face.photograph for face in faces if face.held_out}
    pictures = [
        MinedPicture(record.path, tuple(face.points for face in record.faces))
        for record in records
        if (record.photograph or record.path.name) not in held_out
    ]
    parts = [examples]
    for number in range(options.rounds):
        verifier = load_verifier(output / VERIFIER_FILE)
        mining = replace(options.mining, seed=options.mining.seed + number)
        parts.append(mine(pictures, frame, output, verifier, mining, jobs, True))
        report(f"round {number + 1}: {len(parts[-1].features)} more examples")
        _fit(parts, output, options, report)
    write_text(output / LICENCE, _LICENCE_TEXT)
    write_json(output / REPORT, {"faces": len(training), "options": asdict(options)})
    return output


def _train_view(
    view: View,
    faces: Sequence[DetectorFace],
    frame: BoxMap,
    output: Path,
    options: DetectorOptions,
) -> int:
    path = train_windows(faces, view, frame, output / f"{view.name}{SUFFIX}", options.windows)
    return path.stat().st_size


def _fit(
    parts: Sequence[Examples],
    output: Path,
    options: DetectorOptions,
    report: Callable[[str], None],
) -> Verifier:
    examples = Examples.joined(parts)
    faces = int((examples.targets[:, 0] > 0.5).sum())
    losses: list[float] = []
    verifier = fit_network(examples, options.network, lambda epoch, loss: losses.append(loss))
    save_verifier(verifier, output / VERIFIER_FILE)
    report(
        f"verifier: {faces} examples of faces, {len(examples.targets) - faces} of none, "
        f"loss {losses[-1] if losses else np.nan:.3f}"
    )
    return verifier


def describe_detector(folder: Path) -> dict[str, object]:
    """What lies in a detector's folder: files with their bytes, and how it was trained.

    Raises
    ------
    DataError
        A file of a detector is missing, or its report cannot be read.
    """
    names = [*(f"{view.name}{SUFFIX}" for view in VIEWS), VERIFIER_FILE]
    files = {name: (folder / name).stat().st_size for name in names if (folder / name).is_file()}
    missing = [name for name in names if name not in files]
    if (folder / START_FILE).is_file():
        files[START_FILE] = (folder / START_FILE).stat().st_size
    if missing:
        raise DataError(folder, f"is no face detector: {', '.join(missing)} missing")
    trained = _training_report(folder / REPORT)
    return {"folder": str(folder), "bytes": sum(files.values()), "files": files, **trained}


def _training_report(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(path, f"is no report of a detector's training ({error})") from error
    if not isinstance(report, dict):
        raise DataError(path, "is no report of a detector's training, which is a JSON object")
    return report

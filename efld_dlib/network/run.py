"""Both networks from annotated pictures: training, held-out figures, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from ..datasets.split import fold_of
from ..detection.network import CROP, DETECTOR_FILE, LANDMARK_FILE
from ..errors import Problems
from ..prepare.labels import Labels, relabelled
from ..records import ImageRecord
from .detector import train_detector
from .export import export
from .faces import Picture, cut_faces, read_grounds
from .fitting import Course, FitOptions, report
from .landmarks import crops_of, train_landmarks
from .mining import mistakes


@dataclass(frozen=True)
class NetworkOptions:
    """How the networks are trained.

    Parameters
    ----------
    detector, landmarks : FitOptions
    held_out : float
        Fraction of the persons and photographs kept for measuring.
    fold : int, optional
        Number of the fifth of the images without a face that is kept for measuring.
    labels : Labels, optional
        Landmarks for the landmark network, in place of the records' own.
    """

    detector: FitOptions
    landmarks: FitOptions
    held_out: float
    fold: int | None = None
    labels: Labels | None = None


def train_networks(
    records: Sequence[ImageRecord],
    faceless: Path,
    output: Path,
    work: Path,
    options: NetworkOptions,
    jobs: int,
    problems: Problems,
    trusted: int = 0,
) -> None:
    """Train the face network and the landmark network, and write their files.

    Parameters
    ----------
    records : sequence of ImageRecord
        Pictures with 68 landmarks.
    faceless : Path
        Folder of pictures without a face.
    output, work : Path
        Folders of the files and of the checkpoints. What is there is gone on from.
    options : NetworkOptions
    jobs : int
        Processes and threads.
    problems : Problems
        Takes the pictures that cannot be used.
    trusted : int
        As of `cut_faces`.
    """
    torch.set_num_threads(jobs)
    cv2.setNumThreads(1)
    seed = options.detector.seed
    pictures = cut_faces(records, options.held_out, seed, jobs, problems, True, trusted)
    grounds = {
        name: image
        for name, image in read_grounds(faceless, problems).items()
        if fold_of(name, seed) != options.fold
    }
    held_out = sum(picture.held_out for picture in pictures)
    report(
        f"{len(pictures)} faces, {held_out} of them held out; "
        f"{len(grounds)} pictures without a face"
    )
    course = Course(pictures, grounds, options.detector, work, report)
    network = train_detector(course)
    size = export(network, (1, 1, 96, 96), output / DETECTOR_FILE)
    report(f"{output / DETECTOR_FILE}: {size} bytes")
    found = mistakes(network, list(grounds.values()))
    report(f"{len(found)} mistakes in {len(grounds)} pictures without a face")
    if options.labels is not None:
        by_hand = relabelled(records[:trusted], options.labels)
        records = by_hand + relabelled(records[trusted:], options.labels)
        pictures = cut_faces(records, options.held_out, seed, jobs, problems, True, len(by_hand))
        report(f"{len(pictures)} faces with other landmarks")
    course = replace(course, pictures=pictures, options=options.landmarks)
    network = train_landmarks(course, found)
    if held_out:
        report(_landmark_figures(network, [each for each in pictures if each.held_out]))
    size = export(network, (1, 1, CROP, CROP), output / LANDMARK_FILE)
    report(f"{output / LANDMARK_FILE}: {size} bytes")


def _landmark_figures(network: nn.Module, pictures: Sequence[Picture]) -> str:
    """Error of the landmarks of held-out faces, in words."""
    pixels, points, _ = crops_of(pictures)
    with torch.inference_mode():
        said = network(torch.from_numpy(pixels)).numpy()[:, 1:].reshape(-1, 68, 2)
    errors = np.linalg.norm(said - points, axis=2)
    sides = np.nanmax(points, axis=1) - np.nanmin(points, axis=1)
    each = np.nanmean(errors, axis=1) / np.sqrt(sides.prod(axis=1)) * 100
    return (
        f"landmarks of {len(each)} held-out faces: mean error {each.mean():.2f} %, median "
        f"{np.median(each):.2f} % of the size of their tight box"
    )

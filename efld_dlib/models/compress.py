"""Which leaf of every tree faces reach, for making a model small."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..crops import Crop
from ..errors import DataError, OptionError
from ..records import ImageRecord
from .efld import efld_bytes
from .predictor import LeafIndices, Predictor, face_crops, run_cascades
from .quantised import DEAD_ZONE, quantise

_BATCH = 128


def leaf_usage(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    samples: int,
    rng: np.random.Generator,
) -> LeafIndices:
    """The leaves that faces reach, from their own boxes and from boxes slightly beside them.

    Parameters
    ----------
    predictor : Predictor
    records : sequence of ImageRecord
        Faces with boxes.
    samples : int
        How many runs are wanted, about. Every face is run once at least; the others are of mirror
        images and boxes that are shifted and scaled by chance.
    rng : numpy.random.Generator

    Returns
    -------
    array of int32, shape (runs, cascades, trees)

    Raises
    ------
    DataError
        There is no face, one has no box, or a picture cannot be read.
    """
    faces = sum(len(record.faces) for record in records)
    if not faces:
        raise DataError("<faces>", "there is no face to find out the use of the leaves with")
    variants = max(1, round(samples / faces))
    # The face box lies in the middle of a crop, so it is its own mirror image.
    crops = (
        replace(crop, image=crop.image[:, ::-1]) if number % variants % 2 else crop
        for number, (crop, _) in enumerate(face_crops(records, variants, rng))
    )
    reached = []
    while batch := list(islice(crops, _BATCH)):
        reached.append(reached_leaves(predictor, batch))
    return np.concatenate(reached)


def reached_leaves(predictor: Predictor, crops: Sequence[Crop]) -> LeafIndices:
    """Index of the leaf of each tree that each face reaches, shape (crops, cascades, trees)."""
    images = np.array([crop.image for crop in crops])
    cascades = run_cascades(predictor, predictor.leaves, images, crops[0].box)
    return np.stack([reached for _, _, reached in cascades], axis=1)


FINEST, COARSEST = 1e-5, 3e-3
"""Range of the rounding step in units of the face box; at the finest, nothing is lost."""

DEAD_ZONES = (0.0, 0.15)
"""Tried where an error can be measured; otherwise `quantise`'s own is taken."""

# A search ends at a file of this share of the bytes allowed, or where the steps between which the
# answer lies differ by no more than this factor.
_CLOSE_BYTES = 0.98
_CLOSE_STEP = 1.08

Measure = Callable[[bytes], float]
"""The error of the model in the bytes of an `.efld` file."""


@dataclass(frozen=True)
class Trial:
    """One way to round the predictor.

    Parameters
    ----------
    step, dead_zone : float
        As in `quantise`.
    data : bytes
        The `.efld` file.
    error : float
        What `measure` said of it; NaN without one.
    """

    step: float
    dead_zone: float
    data: bytes
    error: float

    def __str__(self) -> str:
        error = "" if math.isnan(self.error) else f", NME {100 * self.error:.3f} %"
        return (
            f"step {self.step:.2e}, dead zone {self.dead_zone:.2f}: {len(self.data)} bytes{error}"
        )


@dataclass(frozen=True)
class Search:
    """Looks for the best rounding of a predictor.

    Parameters
    ----------
    predictor : Predictor
    reached : array, optional
        As for `quantise`.
    measure : callable, optional
        Tells the error of a candidate.
    metadata : mapping
        For the file.
    role : str
        Of the predictor in the file.
    report : callable
        Called with every trial.
    """

    predictor: Predictor
    reached: LeafIndices | None
    measure: Measure | None
    metadata: Mapping[str, Any]
    role: str
    report: Callable[[Trial], None]

    def best(self, max_bytes: int, max_error: float | None = None) -> Trial:
        """The trial of least error in at most `max_bytes`; without a measure, the finest.

        Parameters
        ----------
        max_bytes : int
        max_error : float, optional
            Rather the smallest file that has no larger error than this, or if there is none, the
            smallest that was tried; a measure is needed.

        Raises
        ------
        OptionError
            Not even the coarsest rounding is small enough.
        """
        if self.measure is None:
            return self.fitting(max_bytes, DEAD_ZONE)
        fitting = [self.fitting(max_bytes, zone) for zone in DEAD_ZONES]
        if max_error is None:
            return min(fitting, key=attrgetter("error"))
        smallest = [self.smallest(trial, max_error) for trial in fitting]
        return min(smallest, key=lambda trial: (trial.error > max_error, len(trial.data)))

    def fitting(self, max_bytes: int, dead_zone: float) -> Trial:
        """The finest rounding whose file has at most `max_bytes`."""
        fine = self.trial(FINEST, dead_zone)
        if len(fine.data) <= max_bytes:
            return fine
        coarse = self.trial(COARSEST, dead_zone)
        if len(coarse.data) > max_bytes:
            raise OptionError(
                f"the model does not fit in {max_bytes} bytes; the least is {len(coarse.data)}"
            )
        while len(coarse.data) < _CLOSE_BYTES * max_bytes and coarse.step > _CLOSE_STEP * fine.step:
            # Bytes fall about as the logarithm of the step rises.
            share = (len(fine.data) - 0.99 * max_bytes) / (len(fine.data) - len(coarse.data))
            ratio = coarse.step / fine.step
            between = self.trial(fine.step * ratio ** min(max(share, 0.1), 0.9), dead_zone)
            if len(between.data) <= max_bytes:
                coarse = between
            else:
                fine = between
        return coarse

    def smallest(self, good: Trial, max_error: float) -> Trial:
        """The smallest file with at most `max_error`, or `good` if none is smaller."""
        bad = COARSEST
        while bad > _CLOSE_STEP * good.step:
            trial = self.trial(math.sqrt(good.step * bad), good.dead_zone)
            if trial.error <= max_error:
                good = trial
            else:
                bad = trial.step
        return good

    def trial(self, step: float, dead_zone: float = DEAD_ZONE) -> Trial:
        """The file of one rounding, reported.

        Raises
        ------
        OptionError
            `step` is out of range, or the leaves are too large for it.
        """
        # The matrices are small: several threads wait for each other, and take four times as long.
        with threadpool_limits(1, "blas"):
            quantised = quantise(self.predictor, step, self.reached, dead_zone)
        data = efld_bytes({self.role: quantised}, self.metadata)
        error = math.nan if self.measure is None else self.measure(data)
        trial = Trial(step, dead_zone, data, error)
        self.report(trial)
        return trial

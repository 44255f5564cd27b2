"""The toolkit's own face detector: one network finds faces, a second one looks at each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ..boxes import FloatArray, RotatedBox
from ..errors import OptionError
from ..images import Image, reduced
from .detectors import Detection, MinFace
from .framing import square_box
from .network import (
    DETECTOR_FILE,
    Found,
    LandmarkNetwork,
    find_faces,
    joined,
    load_network,
    surest,
)

Mode = Literal["fast", "thorough"]

DEFAULT_SCORE = 0.5
"""Lowest score that counts, chosen on held-out faces and on images without one."""

LOOKED_AT, SURE = 0.5, 0.9
"""Scores of the face network from which the landmark network looks at a place, and from which it
need not: so nearly all clear faces take no further time."""

COMPANY, COMPANY_SCORE = 3, 0.3
"""If the face network is sure of so many faces in an image, this default score is enough for the
others: in a group a doubtful place is more likely a face. 0.8 % more of the faces in groups are
found, and one false alarm comes with them (docs/detection.md)."""

OPINION, RESERVE = 0.2, 1.45
"""Weight of the landmark network's logit beside the face network's, and what is taken off their
sum: the weighted logit of a typical face, so that doubtful and sure ones are scored alike."""

SMALLEST = 20.0
"""Width in pixels of the smallest face that is looked for, if nothing is said."""

SMALLEST_SHARE = 60.0
"""Likewise, the image's longer side over the width of the smallest face, so that a large photograph
is searched at no more than 960 pixels."""

NETWORK_FACE = 16.0
"""Width in pixels to which the smallest face is brought. At 20, 3 more of 739 faces in groups are
found, and the search takes 1.5 times as long."""

LONGEST_LOOK = 160
"""Longer side in pixels up to which an image is looked at once. A larger one is looked at once
more, reduced by `REDUCTION`. With 320 here, 8 more of 136 held-out profiles were missed."""

REDUCTION = 4.0

MAX_ENLARGEMENT = 2.0
"""Smaller faces do not become clearer by it."""


class NetworkDetector:
    """Finds faces of any yaw and all sizes at once, in ``thorough`` also of any roll.

    Parameters
    ----------
    mode : {"fast", "thorough"}
        ``fast`` finds faces turned in the image by up to about 45 degrees; ``thorough`` looks at
        the image turned by quarters too, and takes four times as long.
    min_score : float, optional
        Lowest score that counts, between 0 and 1; by default `DEFAULT_SCORE`, or `COMPANY_SCORE`
        in an image with at least `COMPANY` sure faces.
    min_face : float or str, optional
        Width of the smallest face that is wanted, in pixels or, as ``"10%"``, of the image's
        shorter side; narrower boxes are left out. The larger, the faster. By default faces from
        20 pixels or a sixtieth of the longer side on are looked for, whichever is larger.
    networks : path, optional
        Folder of other networks, written by ``efld-dlib network train``.

    Raises
    ------
    OptionError
        Unknown mode, or a score or size out of range.
    DataError
        A network's file is missing; a `ModelFormatError` if it is damaged.
    """

    def __init__(
        self,
        mode: Mode = "fast",
        min_score: float | None = None,
        min_face: float | str | None = None,
        networks: str | Path | None = None,
    ) -> None:
        if mode not in get_args(Mode):
            raise OptionError(f"the detector's mode must be 'fast' or 'thorough', not {mode!r}")
        if min_score is not None and not 0 < min_score < 1:
            raise OptionError(f"the lowest score must be between 0 and 1, not {min_score:g}")
        self.mode = mode
        self.min_score = DEFAULT_SCORE if min_score is None else min_score
        self._in_company = COMPANY_SCORE if min_score is None else min_score
        self.min_face = None if min_face is None else MinFace.parse(min_face)
        self.network = load_network(DETECTOR_FILE, networks)
        self.second = LandmarkNetwork(networks)

    def __call__(self, gray: Image) -> list[Detection]:
        return as_detections(self.find(gray))

    def find(self, gray: Image) -> Found:
        """The faces with all that the network says of them."""
        sizes = reduced(gray, self.scales(gray.shape))
        turns = range(4) if self.mode == "thorough" else range(1)
        # A face may be seen in several turns, by some of them wrongly: the second network decides.
        found = joined([self._turned(sizes, turn) for turn in turns])
        if self.min_face is not None:
            wanted = self.min_face.pixels(gray.shape)
            found = found.chosen(np.flatnonzero(found.boxes[:, 2] >= wanted))
        company = np.count_nonzero(found.scores >= SURE) >= COMPANY
        least = self._in_company if company else self.min_score
        found = found.chosen(np.flatnonzero(found.scores >= min(LOOKED_AT, least)))
        scores = [self._judged(gray, *each) for each in zip(*found, strict=True)]
        found = found._replace(scores=np.array(scores))
        order = np.argsort(-found.scores, kind="stable")
        return surest(found.chosen(order[found.scores[order] >= least]))

    def _judged(
        self, gray: Image, box: FloatArray, score: float, points: FloatArray, pose: FloatArray
    ) -> float:
        """The score of a place; if the face network is in doubt, by the other network too."""
        if score >= SURE:
            return score
        look = self.second.look(gray, RotatedBox(square_box(*box), float(pose[2])))
        logit = math.log(score / (1 - score)) + OPINION * look.score - RESERVE
        return 1 / (1 + math.exp(-max(logit, -50.0)))

    def scales(self, shape: tuple[int, ...]) -> list[float]:
        """At which sizes an image of a shape, (height, width), is looked at."""
        longer = max(shape)
        if self.min_face is None:
            wanted = max(SMALLEST, longer / SMALLEST_SHARE)
        else:
            wanted = self.min_face.pixels(shape)
        scale = min(NETWORK_FACE / wanted, MAX_ENLARGEMENT)
        scales = [scale]
        while longer * scales[-1] > LONGEST_LOOK:
            scales.append(scales[-1] / REDUCTION)
        return scales

    def _turned(self, sizes: Sequence[tuple[Image, tuple[float, float]]], turn: int) -> Found:
        """What is found in an image of several sizes, turned by quarters counterclockwise."""
        parts = []
        for small, step in sizes:
            image = np.ascontiguousarray(np.rot90(small, turn))
            found = find_faces(self.network, image, min(LOOKED_AT, self._in_company))
            parts.append(found.turned_back(turn, image.shape).moved(step))
        return surest(joined(parts))


def as_detections(found: Found) -> list[Detection]:
    """Box, score and roll of each face."""
    return [
        Detection(square_box(x, y, width), float(score), float(pose[2]))
        for (x, y, width), score, pose in zip(found.boxes, found.scores, found.poses, strict=True)
    ]

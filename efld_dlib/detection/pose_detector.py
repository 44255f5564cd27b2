"""Our own face detector: sub-detectors for all views, a verifier, and turned pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Literal, get_args

from ..errors import OptionError
from ..images import FACE_SIZE, Image
from .confirm import SURE, confirm, seen_yaw
from .detectors import (
    MAX_AUTO_UPSAMPLE_PIXELS,
    Detection,
    FrontalDetector,
    Upsample,
    require_one_size,
    require_upsample,
)
from .looks import FIRST_LOOK, FURTHER_LOOKS, MOST_WINDOWS, THOROUGH_LOOKS, WINDOW_ROOM, Look
from .places import candidates_at
from .scales import Scales
from .smallest import SMALLEST_FACE
from .start import ROUGH_SIZE, load_start, settled
from .suppression import same_face, suppress
from .verifier import Candidate, Verifier, wrapped
from .verifier_file import VERIFIER_FILE, load_verifier
from .views import choose_views
from .windows import FOLDER, load_united, load_windows

Mode = Literal["fast", "thorough"]

FURTHER_STARTS = 2
"""How often the start looks again: landmarks and score depend on where exactly the box lies."""

# It does not where the verifier takes a place for no face.
_LIKELY = -1.5

# A place of which the verifier says this little is not looked at again.
_LEAST_SCORE = -3.0


class PoseDetector:
    """Finds faces of any yaw, in ``thorough`` also of any roll.

    Parameters
    ----------
    mode : {"fast", "thorough"}
        ``fast`` looks for upright faces, at small and turned ones only where it finds none.
        ``thorough`` looks for faces at every roll, and for small ones where it finds none.
    min_score : float
        Lowest score that counts: the logarithm of the odds of a face, less the look's doubt.
    upsample : int or "auto"
        How often the smallest face is halved; "auto" leaves it to the mode. With a number it is
        looked once.
    folder : path, optional
        Where the detector's files lie; by default those that come with the toolkit.
    min_face : float or str, optional
        Width of the smallest face that is wanted, in pixels or, as ``"10%"``, of the picture's
        shorter side. The larger, the faster: the picture is searched at a size at which that face
        is as large as the smallest window. Smaller ones are not looked for, not even where
        nothing is found. Not beside `upsample`.
    views : sequence of str, optional
        Names of those of `views.VIEWS` that are looked for; by default all.

    Raises
    ------
    OptionError
        There is no such mode or view, or the upsampling or the smallest face is out of range, or
        both are given.
    DataError
        A file in `folder` is missing; a `ModelFormatError` where it is damaged.
    """

    def __init__(
        self,
        mode: Mode = "fast",
        min_score: float = 0.0,
        upsample: Upsample = "auto",
        folder: Path | None = None,
        min_face: float | str | None = None,
        views: Sequence[str] | None = None,
    ) -> None:
        if mode not in get_args(Mode):
            raise OptionError(f"the detector's mode must be 'fast' or 'thorough', not {mode!r}")
        require_upsample(upsample)
        self.mode, self.min_score, self.upsample = mode, min_score, upsample
        self.min_face = require_one_size(upsample, min_face)
        places = choose_views(views)
        windows = load_windows(folder)
        self.windows = tuple(windows[place] for place in places)
        self.united = load_united(folder, places)
        self.verifier = own_verifier() if folder is None else load_verifier(folder / VERIFIER_FILE)
        self.folder = folder

    def __call__(self, gray: Image) -> list[Detection]:
        scales = Scales(gray)
        for look, smallest in self._looks(gray):
            found = suppress(self._search(scales, look, smallest))
            if found:
                return found
        return self._second_opinion(scales) if self.upsample == "auto" else []

    def _second_opinion(self, scales: Scales) -> list[Detection]:
        """What dlib's own detector finds, unless the verifier is sure that it is no face."""
        gray = scales.gray
        wanted = SMALLEST_FACE if self.min_face is None else self.min_face.pixels(gray.shape)
        # Where smaller faces are wanted, dlib's detector would take too long.
        size = wanted if wanted > SMALLEST_FACE else None
        upsample: Upsample = 0 if size is None else "auto"
        theirs = FrontalDetector(upsample, max(0.0, self.min_score), size)(gray)
        # Of these, dlib's own score stands.
        return [
            seen._replace(score=found.score)
            for found in theirs
            for seen in self._located(scales, [found._replace(score=0.0)])
            # A mean with 0, so that twice of it is what the verifier says.
            if 2 * seen.score > _LEAST_SCORE
        ]

    def _looks(self, gray: Image) -> Iterator[tuple[Look, float]]:
        """What is looked for until something is found, and how small a face, in pixels."""
        looks = THOROUGH_LOOKS if self.mode == "thorough" else (FIRST_LOOK, *FURTHER_LOOKS)
        if self.min_face is not None:
            wanted = self.min_face.pixels(gray.shape)
            yield replace(looks[0], united=True), wanted * WINDOW_ROOM
            # It costs little at this size, and only where there is nothing, to look thoroughly.
            yield looks[0], wanted * WINDOW_ROOM
            for look in looks[1:]:
                # What the first look did, it did at the size that is wanted.
                if look.border or look.turns != looks[0].turns:
                    yield look, max(wanted, look.smallest(gray.shape)) * WINDOW_ROOM
            return
        if self.upsample != "auto":
            yield looks[0], SMALLEST_FACE / 2**self.upsample
            return
        for look in looks:
            # Doubling a large picture takes seconds.
            bearable = gray.size <= MAX_AUTO_UPSAMPLE_PIXELS
            smallest = look.smallest(gray.shape)
            yield look, smallest if bearable else max(smallest, SMALLEST_FACE)

    def _search(self, scales: Scales, look: Look, smallest: float) -> list[Detection]:
        windows = self.united if look.united else self.windows
        by_turn = [
            candidates_at(
                windows, scales, turn, smallest, look.threshold, MOST_WINDOWS, look.border
            )
            for turn in look.turns
        ]
        # The best of each turn come first, then the second best ...
        ranks = [[each for each in rank if each is not None] for rank in zip_longest(*by_turn)]
        least = self.min_score + look.doubt
        found = suppress(self._confirmed(scales, look, ranks, least))
        faces = sum(each.score > least for each in found)
        located = self._located(scales, found[: max(look.limit, faces)])
        judged = [each._replace(score=each.score - look.doubt_of(each.roll)) for each in located]
        return [each for each in judged if each.score > self.min_score]

    def _confirmed(
        self, scales: Scales, look: Look, ranks: list[list[Candidate]], least: float
    ) -> list[Detection]:
        """What the verifier says of the windows, as many as it is shown."""
        found: list[Detection] = []
        shown, step = 0, look.limit
        while shown < len(ranks):
            block = [each for rank in ranks[shown : shown + step] for each in rank]
            shown += step
            new = confirm(self.verifier, scales, block, _LEAST_SCORE)
            seen = [each.box for each in found]
            fresh = any(
                each.score > least and not any(same_face(each.box, box) for box in seen)
                for each in new
            )
            found += new
            if fresh:
                step = max(1, look.limit // 3)
            elif not look.persistent or any(each.score > least for each in found):
                break
        return found

    def _located(self, scales: Scales, detections: list[Detection]) -> list[Detection]:
        """The detections where landmarks say that they are; the score is the mean of that of the
        verifier there and of theirs. Of which the verifier is sure, it is not asked again.
        """
        places = [self._settled(scales, each) for each in detections]
        unsure = [
            place for each, place in zip(detections, places, strict=True) if not each.score > SURE
        ]
        outputs = iter(self.verifier.look(scales, unsure))
        found = []
        for each, place in zip(detections, places, strict=True):
            score, yaw = each.score, each.yaw
            if not score > SURE:
                output = next(outputs)
                score, yaw = (score + float(output[0])) / 2, seen_yaw(output)
            found.append(Detection(place.box, score, wrapped(place.roll), yaw))
        return found

    def _settled(self, scales: Scales, found: Detection) -> Candidate:
        """Where the start, looking again from where its last look ended, says that the face is."""
        start = load_start(self.folder)
        size = FACE_SIZE if self.min_face is None else ROUGH_SIZE
        place = settled(start, scales, Candidate(found.box, found.roll), 1, size)
        if not found.score > _LIKELY:
            return place
        # Who wants no small faces wants speed.
        return settled(start, scales, place, FURTHER_STARTS if self.min_face is None else 1)


@lru_cache(maxsize=1)
def own_verifier() -> Verifier:
    """The verifier that comes with the toolkit."""
    return load_verifier(files("efld_dlib.data").joinpath(FOLDER, VERIFIER_FILE))

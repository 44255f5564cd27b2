"""What the network sees where no face is annotated: mistakes to learn from, or unknown faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch
from torch import nn

from ..boxes import FloatArray
from ..detection.network import Found, decode, surest
from ..images import Image
from .faces import Picture
from .scenes import Mistake

PROBABLE_FACE = 0.5
"""Score from which something beside the annotated faces may be a face that nobody annotated."""

MISTAKE = 0.1
"""Score from which something in a picture without a face is learnt from. It is a logit of -2.2:
such a place is right by a little only."""

SCALES = (0.5, 1.0, 2.0)
"""Pictures without a face are searched at these scales."""

_MULTIPLE = 32
_LONGEST = 900


def search(network: nn.Module, image: Image, least: float, scale: float = 1.0) -> Found:
    """Faces in a gray picture, in its pixels, by a network that is being trained."""
    scale = _scale(image, scale)
    height, width = image.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = image
    if size != (width, height):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    rows, columns = (-(-side // _MULTIPLE) * _MULTIPLE for side in small.shape)
    padded = np.full((rows, columns), 128, np.uint8)
    padded[: small.shape[0], : small.shape[1]] = small
    with torch.inference_mode():
        pixels = torch.from_numpy(padded[None, None].astype(np.float32))
        levels = [level[0].numpy() for level in network(pixels)]
    found = surest(decode(levels, least))
    return found.moved((width / size[0], height / size[1]))


def mistakes(network: nn.Module, grounds: Sequence[Image]) -> list[Mistake]:
    """What the network takes for a face in pictures without one."""
    wrong = []
    for number, image in enumerate(grounds):
        for scale in SCALES:
            found = search(network, image, MISTAKE, scale)
            looked = _scale(image, scale)
            wrong += [
                Mistake(number, box, float(box[2]) * looked, float(score))
                for box, score in zip(found.boxes, found.scores, strict=True)
            ]
    return wrong


def _scale(image: Image, wanted: float) -> float:
    return float(min(wanted, _LONGEST / max(image.shape)))


def mark_unknown_faces(network: nn.Module, pictures: Iterable[Picture]) -> int:
    """Note in each picture what is probably a face that nobody annotated; how many there are."""
    count = 0
    for picture in pictures:
        found = search(network, picture.image, PROBABLE_FACE)
        picture.ignored = [box for box in found.boxes if not _is_annotated(box, picture)]
        picture.known = True
        count += len(picture.ignored)
    return count


def _is_annotated(box: FloatArray, picture: Picture) -> bool:
    """Whether a box has its centre in an annotated face."""
    return any(
        float(np.abs(box[:2] - face.box[:2]).max()) < 0.6 * face.box[2] for face in picture.faces
    )

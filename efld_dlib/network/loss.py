"""The losses of the two networks (the paper's section 3.2)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..detection.network import POSE_UNIT
from .model import BOX, POINTS, POSE

POSITIVE, NEGATIVE = 2.0, 0.75
"""Weights of faces and of background in the score's error."""

POINTS_SHARE, POSE_SHARE = 1.5, 0.5
"""Weights of the errors of the five points and of the pose beside those of score and box."""

# Errors below these are squared, larger ones count as they are: of the box and of the points, in
# widths of the box.
_BOX_BEND, _POINT_BEND = 0.03, 0.02

# The wing loss (Feng et al., CVPR 2018): its width and curvature in pixels of the crop.
_WING, _CURVE = 8.0, 1.0


class FaceLoss(NamedTuple):
    """The parts of the face network's error, each a mean over the faces."""

    score: Tensor
    box: Tensor
    points: Tensor
    pose: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.score + self.box + POINTS_SHARE * self.points + POSE_SHARE * self.pose


def face_loss(
    outputs: Tensor, face: Tensor, counts: Tensor, wanted: Tensor, size: Tensor, weight: Tensor,
    rarity: Tensor,
) -> FaceLoss:  # fmt: skip
    """Error of the face network.

    The error of a face's five points is weighted as the paper says: by the error of its 3-D pose,
    in the form that PFLD published (the sum of 1 - cos of the errors of the three angles, to which
    1 is added here, so that a right pose does not excuse the points), and by the rarity of its
    pose.

    Parameters
    ----------
    outputs : tensor, shape (scenes, cells, CELL_OUTPUTS)
    face, counts, wanted, size, weight, rarity
        As in `targets.Targets`, with the scenes in front.
    """
    logit = outputs[..., 0]
    chance = torch.sigmoid(logit)
    error = functional.binary_cross_entropy_with_logits(logit, face, reduction="none")
    # Focal loss (Lin et al., ICCV 2017): what is right already counts little.
    focus = torch.where(face > 0, POSITIVE * (1 - chance) ** 2, NEGATIVE * chance**2)
    positive = face > 0
    faces = weight.sum().clamp(min=1.0)
    score = (error * focus * counts).sum() / positive.sum().clamp(min=1)

    said, wanted, size = outputs[positive], wanted[positive], size[positive]
    weight, rarity = weight[positive], rarity[positive]
    shift = (said[:, BOX] - wanted[:, BOX]) * torch.stack(
        [1 / size, 1 / size, torch.ones_like(size)], dim=1
    )
    box = (_smooth(shift, _BOX_BEND).sum(1) * weight).sum() / faces * 3

    pose = _pose_error(said[:, POSE], wanted[:, POSE])
    pose_loss = (pose * weight * rarity).sum() / faces
    geometry = 1 + pose

    points = wanted[:, POINTS]
    given = torch.isfinite(points)
    apart = (said[:, POINTS] - torch.where(given, points, 0.0)) / size[:, None]
    spread = (_smooth(apart, _POINT_BEND) * given).sum(1)
    point_loss = (spread * geometry * weight * rarity).sum() / faces
    return FaceLoss(score, box, point_loss, pose_loss)


def _pose_error(said: Tensor, wanted: Tensor) -> Tensor:
    """Sum of 1 - cos of the errors of the angles that are known, shape (n,)."""
    known = torch.isfinite(wanted)
    apart = (said - torch.where(known, wanted, 0.0)) * math.radians(POSE_UNIT)
    return ((1 - torch.cos(apart)) * known).sum(1)


def _smooth(error: Tensor, bend: float) -> Tensor:
    return functional.smooth_l1_loss(error, torch.zeros_like(error), beta=bend, reduction="none")


def landmark_loss(
    outputs: Tensor, face: Tensor, points: Tensor, rarity: Tensor, crop: float
) -> tuple[Tensor, Tensor]:
    """Errors of the landmark network: of the score, and of the landmarks (wing loss).

    Parameters
    ----------
    outputs : tensor, shape (n, CROP_OUTPUTS)
    face : tensor, shape (n,)
        1 where the crop shows a face as a detector frames it, else 0; NaN where neither is true.
    points : tensor, shape (n, 68, 2)
        In widths of the crop from its middle; NaN where not annotated.
    rarity : tensor, shape (n,)
    crop : float
        Width of the crop in pixels.
    """
    certain = torch.isfinite(face)
    score = functional.binary_cross_entropy_with_logits(outputs[:, 0][certain], face[certain])
    given = torch.isfinite(points)
    error = (outputs[:, 1:].view_as(points) - torch.where(given, points, 0.0)).abs() * crop
    inner = _WING * torch.log1p(error / _CURVE)
    outer = error - (_WING - _WING * math.log1p(_WING / _CURVE))
    wing = torch.where(error < _WING, inner, outer)
    weight = given * rarity[:, None, None]
    return score, (wing * weight).sum() / weight.sum().clamp(min=1.0)

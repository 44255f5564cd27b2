"""Training of the network that finds faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..boxes import FloatArray
from .faces import Picture
from .fitting import Batch, Course, Fit, FitOptions
from .loss import face_loss
from .mining import mark_unknown_faces, mistakes
from .model import FaceNetwork
from .scenes import Mistake, Mistakes, SceneMaker
from .targets import targets

MINING = (0.15, 0.3, 0.45, 0.6, 0.75, 0.87)
"""Parts of the steps after which pictures without a face are searched for mistakes. After every
other one, from the first on, the annotated ones are searched for faces that nobody annotated."""

RATES = {60.0: 3.0, 30.0: 1.5}
"""How much more often a face is pasted whose yaw is at least so many degrees."""


def train_detector(course: Course) -> nn.Module:
    """The face network, trained, ready to be run."""
    trained, options = course.trained, course.options
    maker = SceneMaker(trained, course.grounds, _rates(trained))
    state: dict[str, Any] = {}
    torch.manual_seed(options.seed)
    checkpoint = course.folder / "detector.pt"
    batches = _batches(maker, options)
    fit = Fit(FaceNetwork(), batches, _loss, options, checkpoint, course.tell, state)
    _recall(state, maker, trained)
    for number, part in enumerate(MINING):
        until = round(part * options.steps)
        if fit.step >= until:
            continue
        fit.run(until)
        network = FaceNetwork()
        network.load_state_dict(fit.averaged)
        network.eval()
        found = mistakes(network, list(course.grounds.values()))
        maker.mistakes = Mistakes(found)
        state["mistakes"] = [
            [each.ground, each.box.tolist(), each.size, each.score] for each in found
        ]
        grave = sum(mistake.score > 0.5 for mistake in found)
        told = (
            f"{len(found)} mistakes in {len(course.grounds)} pictures without a face, "
            f"{grave} of them grave"
        )
        if number % 2 == 0:
            unknown = mark_unknown_faces(network, trained)
            state["ignored"] = [[box.tolist() for box in each.ignored] for each in trained]
            told += f", {unknown} faces that nobody annotated"
        course.tell(told)
        fit.save()
    fit.run()
    return fit.finished()


def _batches(maker: SceneMaker, options: FitOptions) -> Callable[[int], Batch]:
    def make(step: int) -> Batch:
        images, answers = [], []
        for number in range(options.batch):
            scene = maker.scene(np.random.default_rng([options.seed, step, number]))
            images.append(scene.image)
            answers.append(targets(scene))
        columns = (np.stack(values) for values in zip(*answers, strict=True))
        pixels = torch.from_numpy(np.stack(images)[:, None])
        return (pixels, *(torch.from_numpy(values) for values in columns))

    return make


def _recall(state: dict[str, Any], maker: SceneMaker, pictures: Sequence[Picture]) -> None:
    """Take up what an interrupted run had found."""
    maker.mistakes = Mistakes(
        [
            Mistake(ground, np.array(box), size, score)
            for ground, box, size, score in state.get("mistakes", [])
        ]
    )
    for picture, boxes in zip(pictures, state.get("ignored", []), strict=False):
        picture.ignored, picture.known = [np.array(box) for box in boxes], True


def _loss(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    pixels, *answers = batch
    levels = network(pixels.contiguous(memory_format=torch.channels_last))
    outputs = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
    loss = face_loss(outputs, *answers)
    return {"total": loss.total, **loss._asdict()}


def _rates(pictures: Sequence[Picture]) -> FloatArray:
    yaws = np.nan_to_num(np.abs([picture.faces[0].pose[0] for picture in pictures]))
    rates = np.ones(len(pictures))
    for least, rate in sorted(RATES.items()):
        rates[yaws >= least] = rate
    return rates

"""Fitting a network by steps: batches made beside, averaged weights, checkpoints to go on from."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DataError, ModelFormatError
from ..files import atomic_path
from ..images import Image
from .faces import Picture

Batch = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Batch], dict[str, Tensor]]

WARM_UP = 0.03
"""Part of the steps in which the learning rate rises."""

LAST_RATE = 0.005
"""Learning rate at the end, relative to the largest."""

AVERAGED = 0.999
"""What the averaged weights keep of themselves at each step."""

MAX_GRADIENT = 5.0

SAVE_EVERY = 250
"""Steps between two checkpoints, which are also those between two lines of progress."""


@dataclass(frozen=True)
class FitOptions:
    """How a network is fitted.

    Parameters
    ----------
    steps : int
        The paper's iterations.
    batch : int
        Scenes or crops in each.
    rate : float
        Largest learning rate; it rises, and falls as a cosine.
    decay : float
        Of the weights (AdamW).
    seed : int
    """

    steps: int
    batch: int
    rate: float = 3e-3
    decay: float = 5e-3
    seed: int = 1


@dataclass(frozen=True)
class Course:
    """What a network is trained on, and where.

    Parameters
    ----------
    pictures : sequence of Picture
        Those that are held out are not trained on.
    grounds : mapping of str to array
        Pictures without a face, by name.
    options : FitOptions
    folder : Path
        Takes the checkpoint.
    tell : callable
        Takes a line of progress.
    """

    pictures: Sequence[Picture]
    grounds: Mapping[str, Image]
    options: FitOptions
    folder: Path
    tell: Callable[[str], None]

    @property
    def trained(self) -> list[Picture]:
        """The pictures that are not held out."""
        return [picture for picture in self.pictures if not picture.held_out]


class Fit:
    """A network being fitted, from where its checkpoint left off.

    Parameters
    ----------
    network : Module
    make_batch : callable
        ``make_batch(step)`` gives the tensors of that step, the same whenever it is called.
    loss : callable
        ``loss(network, batch)`` gives the parts of the error by name; ``total`` is minimised.
    options : FitOptions
    checkpoint : Path
        Written every `SAVE_EVERY` steps. If it is there, fitting goes on from it.
    tell : callable
        Takes a line of progress.
    state : dict, optional
        What else the checkpoint is to hold, changed in place when it is read.

    Raises
    ------
    DataError, ModelFormatError
        The checkpoint cannot be read, or is of another run.
    """

    def __init__(
        self,
        network: nn.Module,
        make_batch: Callable[[int], Batch],
        loss: Loss,
        options: FitOptions,
        checkpoint: Path,
        tell: Callable[[str], None],
        state: dict[str, Any] | None = None,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self.make_batch, self.loss, self.options = make_batch, loss, options
        self.checkpoint, self.tell = checkpoint, tell
        self.state = state if state is not None else {}
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=options.rate, weight_decay=options.decay
        )
        self.step = 0
        self.averaged = {key: value.clone() for key, value in network.state_dict().items()}
        if checkpoint.is_file():
            self._resume()

    def run(self, until: int | None = None) -> None:
        """Fit up to a step, by default to the end."""
        until = self.options.steps if until is None else min(until, self.options.steps)
        start, begun = self.step, time.monotonic()
        sums: dict[str, float] = {}
        self.network.train()
        for batch in self._batches(until):
            for name, value in self._learn(batch).items():
                sums[name] = sums.get(name, 0.0) + value
            self.step += 1
            if self.step % SAVE_EVERY == 0 or self.step == until:
                self.save()
                count = (self.step - 1) % SAVE_EVERY + 1
                count = min(count, self.step - start)
                each = (time.monotonic() - begun) / (self.step - start)
                left = each * (self.options.steps - self.step) / 60
                parts = " ".join(f"{name} {value / count:.4f}" for name, value in sums.items())
                self.tell(
                    f"step {self.step} of {self.options.steps}: {parts}; {each:.2f} s a step, "
                    f"about {left:.0f} min left"
                )
                sums = {}

    def finished(self) -> nn.Module:
        """The network with its averaged weights, ready to be run."""
        self.network.load_state_dict(self.averaged)
        return self.network.eval()

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        content = {
            "options": vars(self.options),
            "step": self.step,
            "network": self.network.state_dict(),
            "averaged": self.averaged,
            "optimizer": self.optimizer.state_dict(),
            "state": self.state,
        }
        with atomic_path(self.checkpoint) as temporary:
            torch.save(content, temporary)

    def _resume(self) -> None:
        try:
            content = torch.load(self.checkpoint, weights_only=True)
            known, step, state = content["options"], content["step"], content["state"]
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.averaged = content["averaged"]
        except Exception as error:
            # A damaged file makes PyTorch raise nearly anything.
            raise ModelFormatError(
                self.checkpoint, "is not a checkpoint of this network"
            ) from error
        if known != vars(self.options):
            raise DataError(
                self.checkpoint,
                f"is of a run with other options ({known}): remove it to begin again",
            )
        self.step = step
        self.state.update(state)
        self.tell(f"going on from step {self.step} of {self.checkpoint}")

    def _batches(self, until: int) -> Iterator[Batch]:
        """The batches of the steps to come, each made while the one before is learnt."""
        with ThreadPoolExecutor(1) as maker:
            ahead: list[Future[Batch]] = []
            step = self.step
            while step < until or ahead:
                while step < until and len(ahead) < 3:
                    ahead.append(maker.submit(self.make_batch, step))
                    step += 1
                yield ahead.pop(0).result()

    def _learn(self, batch: Batch) -> dict[str, float]:
        done = self.step / self.options.steps
        rate = self.options.rate * min(1.0, (done + 1e-4) / WARM_UP)
        rate *= 0.5 * (1 + math.cos(math.pi * done)) + LAST_RATE
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = self.loss(self.network, batch)
        self.optimizer.zero_grad()
        parts["total"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        kept = min(AVERAGED, (self.step + 1) / (self.step + 20))
        for key, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.averaged[key].mul_(kept).add_(value, alpha=1 - kept)
            else:
                self.averaged[key] = value.clone()
        return {name: float(value.detach()) for name, value in parts.items()}


def report(line: str) -> None:
    """Print a line of progress at once."""
    print(line, file=sys.stderr, flush=True)

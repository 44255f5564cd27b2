"""Fitting the verifier's network: Adam on small batches, with numpy alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...detection.gradients import FeatureArray
from ...detection.verifier import OUTPUTS, Verifier
from .samples import Examples

Parameters = list[NDArray[np.float32]]


@dataclass(frozen=True)
class NetworkOptions:
    """Size of the network and how it is fitted.

    Parameters
    ----------
    hidden : tuple of int
        Units of the layers between features and outputs.
    epochs, batch : int
        Times that the examples are seen, and examples of a step.
    rate : float
        Adam's step, which falls to nothing along a cosine.
    decay : float
        Share of a weight that is taken off it in a step of size 1.
    drop : float
        Share of the features left out at random, so that no few of them decide.
    place_weight : float
        Of the squared errors of box and pose, beside the score's cross entropy.
    seed : int
    """

    hidden: tuple[int, ...] = (80, 32)
    epochs: int = 12
    batch: int = 256
    rate: float = 1.5e-3
    decay: float = 1.0
    drop: float = 0.3
    place_weight: float = 0.7
    seed: int = 1


def fit_network(
    examples: Examples,
    options: NetworkOptions,
    report: Callable[[int, float], None] | None = None,
) -> Verifier:
    """The network fitted to examples.

    Parameters
    ----------
    examples : Examples
        At least one.
    options : NetworkOptions
    report : callable, optional
        Called after each epoch with its number and the mean loss.
    """
    rng = np.random.default_rng(options.seed)
    mean = examples.features.mean(axis=0)
    scale = 1 / (examples.features.std(axis=0) + np.float32(0.01))
    parameters = _initial((examples.features.shape[1], *options.hidden, OUTPUTS), rng)
    first = [np.zeros_like(each) for each in parameters]
    second = [np.zeros_like(each) for each in parameters]
    count = len(examples.features)
    size = min(options.batch, count)
    steps_in_all = options.epochs * (count // size)
    step = 0
    for epoch in range(options.epochs):
        order = rng.permutation(count)
        losses = []
        for start in range(0, count - size + 1, size):
            rows = order[start : start + size]
            inputs: FeatureArray = ((examples.features[rows] - mean) * scale).astype(np.float32)
            if options.drop:
                inputs *= rng.random(inputs.shape, dtype=np.float32) > options.drop
            loss, slopes = _slopes(parameters, inputs, examples.targets[rows], options)
            losses.append(loss)
            step += 1
            rate = options.rate * 0.5 * (1 + np.cos(np.pi * step / steps_in_all))
            _adam(parameters, slopes, first, second, step, rate, options.decay)
        if report is not None:
            report(epoch, float(np.mean(losses)))
    return _verifier(parameters, mean, scale * np.float32(1 - options.drop))


def _initial(sizes: tuple[int, ...], rng: np.random.Generator) -> Parameters:
    """Weights and bias of each layer, in turn."""
    parameters: Parameters = []
    for inputs, outputs in itertools.pairwise(sizes):
        spread = np.sqrt(2 / inputs)
        parameters.append(rng.normal(0, spread, (inputs, outputs)).astype(np.float32))
        parameters.append(np.zeros(outputs, np.float32))
    return parameters


def _slopes(
    parameters: Parameters, inputs: FeatureArray, targets: FeatureArray, options: NetworkOptions
) -> tuple[float, Parameters]:
    """The mean loss of a batch, and its slopes by the parameters."""
    values = [inputs]
    for layer in range(0, len(parameters), 2):
        linear = values[-1] @ parameters[layer] + parameters[layer + 1]
        values.append(np.maximum(linear, 0) if layer + 2 < len(parameters) else linear)
    outputs, count = values[-1], len(inputs)
    face = targets[:, 0]
    score = np.clip(outputs[:, 0], -30, 30)
    loss = float(np.mean(np.log1p(np.exp(-np.abs(score))) + np.maximum(score, 0) - face * score))
    slope = np.zeros_like(outputs)
    slope[:, 0] = 1 / (1 + np.exp(-score)) - face
    is_face = face > 0.5
    error = outputs[is_face, 1:] - targets[is_face, 1:]
    loss += options.place_weight * float((error**2).sum()) / count
    slope[is_face, 1:] = 2 * options.place_weight * error
    slope /= count
    slopes: Parameters = []
    for layer in range(len(parameters) - 2, -1, -2):
        below = values[layer // 2]
        slopes[:0] = [below.T @ slope, slope.sum(axis=0)]
        if layer:
            slope = (slope @ parameters[layer].T) * (below > 0)
    return loss, slopes


def _adam(
    parameters: Parameters,
    slopes: Parameters,
    first: Parameters,
    second: Parameters,
    step: int,
    rate: float,
    decay: float,
) -> None:
    """One step, in place (Kingma and Ba, 2015, with decoupled weight decay)."""
    for value, slope, mean, square in zip(parameters, slopes, first, second, strict=True):
        mean += np.float32(0.1) * (slope - mean)
        square += np.float32(0.001) * (slope**2 - square)
        upright = mean / np.float32(1 - 0.9**step)
        size = np.sqrt(square / np.float32(1 - 0.999**step)) + np.float32(1e-8)
        if value.ndim == 2:
            value -= np.float32(rate * decay) * value
        value -= np.float32(rate) * upright / size


def _verifier(parameters: Parameters, mean: FeatureArray, scale: FeatureArray) -> Verifier:
    """The network for features as they are: their mean and scale go into the first layer."""
    weights, biases = list(parameters[0::2]), list(parameters[1::2])
    biases[0] = (biases[0] - (mean * scale) @ weights[0]).astype(np.float32)
    weights[0] = (weights[0] * scale[:, np.newaxis]).astype(np.float32)
    return Verifier(tuple(weights), tuple(biases))

"""Trained networks as files that OpenCV runs: ONNX, its weights rounded so that it packs small."""

from __future__ import annotations

import io
import lzma
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from ..files import atomic_path

OPSET = 12
"""OpenCV from 4.8 to 5 reads it."""

BITS = 7
"""Size of the largest weight of an output, in bits, after rounding."""

# Four bytes a weight: the filter lines up the bytes that are alike.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2}]


def export(network: nn.Module, shape: tuple[int, int, int, int], target: Path) -> int:
    """Write a network, and tell how many bytes the file has.

    The file is ONNX, packed with xz. Its weights are rounded to whole multiples of a power of two,
    of 8 bits with the sign, for each output of a layer: what it says differs by about a
    thousandth, and most bytes of its numbers are zeros, which pack to nothing.

    Parameters
    ----------
    network : Module
        In eval mode.
    shape : tuple of int
        Of an input to record it with; it runs on others too, if the network does.
    target : Path
        Ending in ``.onnx.xz``.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that needs no further package is said to go some day.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.to(memory_format=torch.contiguous_format), (torch.zeros(shape),), buffer,
            opset_version=OPSET, dynamo=False, input_names=["pixels"],
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    model.producer_name, model.producer_version = "efld_dlib", ""
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.ndim > 1 and values.dtype == np.float32:
            weights.CopyFrom(numpy_helper.from_array(rounded(values), weights.name))
    data = lzma.compress(model.SerializeToString(), format=lzma.FORMAT_XZ, filters=_FILTERS)
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)
    return len(data)


def rounded(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights as whole multiples of a power of two, at most 2**BITS of them, for each output.

    Examples
    --------
    >>> rounded(np.array([[0.5, 0.003, -0.25]], np.float32)).tolist()
    [[0.5, 0.00390625, -0.25]]
    """
    flat = weights.reshape(len(weights), -1)
    largest = np.maximum(np.abs(flat).max(axis=1, keepdims=True), 1e-20)
    step = np.exp2(np.ceil(np.log2(largest)) - BITS)
    out: NDArray[np.float32] = (np.rint(flat / step) * step).astype(np.float32)
    return out.reshape(weights.shape)

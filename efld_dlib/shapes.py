"""Shapes of landmarks without their place, size and turn: the mean one, and its mirror image."""

from __future__ import annotations

import numpy as np

from .boxes import FloatArray, annotated

_ROUNDS = 5
_ANGLES = 180


def similarity(source: FloatArray, target: FloatArray, moved: FloatArray) -> FloatArray:
    """`moved` under the shift, turn and scale of least squares that take `source` to `target`.

    Parameters
    ----------
    source, target : array, shape (k, 2)
    moved : array, shape (n, 2)

    Returns
    -------
    array, shape (n, 2)
    """
    # As complex numbers, a turn with a scale is one factor, and none of them mirrors.
    here, there = source @ [1, 1j], target @ [1, 1j]
    a, b = here.mean(), there.mean()
    spread = np.vdot(here - a, here - a).real
    factor = np.vdot(here - a, there - b) / spread if spread else 0
    result = factor * (moved @ [1, 1j] - a) + b
    return np.column_stack([result.real, result.imag])


def mean_shape(shapes: FloatArray) -> FloatArray:
    """The mean of shapes laid over each other (generalised Procrustes analysis; Gower, 1975).

    Parameters
    ----------
    shapes : array, shape (m, n, 2)
        NaN = not annotated.

    Returns
    -------
    array, shape (n, 2)
        Turned as the shapes are on the whole, with its middle at 0 and a root mean square distance
        from it of 1; NaN for a landmark that no shape has.
    """
    given = annotated(shapes)
    mean = shapes[int(given.sum(axis=1).argmax())]
    for _ in range(_ROUNDS):
        laid = [
            similarity(shape[both], mean[both], shape)
            for shape, own in zip(shapes, given, strict=True)
            if (both := own & annotated(mean)).sum() > 1
        ]
        if not laid:
            return _at_unit_size(mean)  # no shape has two landmarks to lay it by
        known = annotated(np.array(laid))
        count = known.sum(axis=0)[:, None]
        total = np.where(known[..., None], laid, 0.0).sum(axis=0)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        mean = _at_unit_size(mean)
    # Where the first shape lies on its side, the mean does too: turned back as most ask for.
    turns = []
    for shape, own in zip(shapes, given, strict=True):
        both = own & annotated(mean)
        here, there = mean[both] @ [1, 1j], shape[both] @ [1, 1j]
        turn = np.vdot(here - here.mean(), there - there.mean()) if both.any() else 0
        turns.append(turn / abs(turn) if turn else 0)
    turned = (mean @ [1, 1j]) * np.exp(1j * np.angle(sum(turns)))
    return np.column_stack([turned.real, turned.imag])


def _at_unit_size(shape: FloatArray) -> FloatArray:
    centred = shape - np.nanmean(shape, axis=0)
    size = float(np.sqrt(np.nanmean((centred**2).sum(axis=1))))
    scaled: FloatArray = centred / size if size else centred
    return scaled


def mirror_partners(shape: FloatArray) -> tuple[tuple[int, ...], float]:
    """Which landmarks of a shape take each other's place in its mirror image, as far as its form
    tells.

    Of all axes, the one about which the shape is most like its mirror image; on it lie the
    landmarks that are their own partners.

    Parameters
    ----------
    shape : array, shape (n, 2)
        Such as `mean_shape` gives.

    Returns
    -------
    partners : tuple of int
    off : float
        Root mean square distance of the landmarks from the mirrored places of their partners, over
        that from the shape's middle: near 0 where the thing is symmetric.

    Examples
    --------
    >>> mirror_partners(np.array([[0.0, 0.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 3.0]]))[0]
    (0, 2, 1, 3)
    """
    # It takes as long to import as all that detection needs, which goes without it.
    from scipy.optimize import linear_sum_assignment

    flat = _at_unit_size(shape) @ [1, 1j]
    best: tuple[float, tuple[int, ...]] = (np.inf, tuple(range(len(flat))))
    for angle in np.pi * np.arange(_ANGLES) / _ANGLES:
        mirrored = np.exp(2j * angle) * flat.conj()
        distances = abs(flat[:, None] - mirrored[None]) ** 2
        # Symmetric, so that pairs are chosen together; a landmark may be its own partner.
        _, partners = linear_sum_assignment(distances)
        if (partners[partners] == np.arange(len(flat))).all():
            off = float(np.sqrt(distances[np.arange(len(flat)), partners].mean()))
            best = min(best, (off, tuple(map(int, partners))))
    return best[1], best[0]

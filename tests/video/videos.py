"""Made-up clips: a photograph moved about in a known way."""

import cv2
import numpy as np

SIZE = (480, 360)


def shifts(frames, step=4.0):
    """Where the picture goes in each frame, shape (frames, 2): a slow circle."""
    angle = np.arange(frames) * step / 30
    return np.column_stack([30 * np.sin(angle), 30 * np.cos(angle)]) - [60, -20]


def moved(picture, shift, size=SIZE):
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    return cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def clip(picture, frames, step=4.0):
    return [moved(picture, shift) for shift in shifts(frames, step)]

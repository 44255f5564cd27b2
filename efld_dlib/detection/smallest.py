"""How small a face is looked for: in pixels, or as a part of the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import OptionError

SMALLEST_FACE = 80.0
"""Width in pixels of the smallest face that a detector finds in the picture as it is: dlib's
frontal detector because of its window, our own by choice."""

LEAST_PIXELS = 5.0
"""Smaller faces cannot be asked for: the picture would have to be enlarged too much."""


@dataclass(frozen=True)
class MinFace:
    """Width of the smallest face that is wanted.

    Parameters
    ----------
    amount : float
        In pixels, at least `LEAST_PIXELS`, or per cent of the picture's shorter side, above 0 and
        at most 100.
    percent : bool

    Raises
    ------
    OptionError
        The amount is out of range.
    """

    amount: float
    percent: bool = False

    def __post_init__(self) -> None:
        if self.percent and not 0 < self.amount <= 100:
            raise OptionError(
                "the smallest face must be above 0% and at most 100% of the picture's shorter "
                f"side, not {self.amount:g}%"
            )
        if not self.percent and not LEAST_PIXELS <= self.amount < math.inf:
            raise OptionError(
                f"the smallest face must be at least {LEAST_PIXELS:g} pixels wide, "
                f"not {self.amount:g}"
            )

    @classmethod
    def parse(cls, value: float | str | MinFace) -> MinFace:
        """From pixels as a number or as text, or from per cent as text: ``120`` or ``"10%"``.

        Raises
        ------
        OptionError
            It is neither, or out of range.

        Examples
        --------
        >>> MinFace.parse(120)
        MinFace(amount=120.0, percent=False)
        >>> MinFace.parse("10%").pixels((480, 640))
        48.0
        """
        if isinstance(value, MinFace):
            return value
        text = str(value).strip()
        try:
            amount = float(text.removesuffix("%"))
        except ValueError:
            amount = math.nan
        if math.isnan(amount) or isinstance(value, bool):
            raise OptionError(
                f"the smallest face must be a number of pixels, or per cent as '10%', not {value!r}"
            )
        return cls(amount, text.endswith("%"))

    def pixels(self, shape: tuple[int, ...]) -> float:
        """The width in pixels in a picture of that shape, (height, width)."""
        if not self.percent:
            return self.amount
        return max(LEAST_PIXELS, self.amount / 100 * min(shape[:2]))

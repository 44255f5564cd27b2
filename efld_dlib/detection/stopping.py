"""A polite end of an endless run: the first Ctrl-C or SIGTERM asks, the second one interrupts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether the user asked for an end."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A block in which the first Ctrl-C or SIGTERM only sets the `Stop`, so that what is being
    written is finished; a second one raises `KeyboardInterrupt`.
    """
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may handle signals.
        yield stop
        return
    before: list[tuple[signal.Signals, Any]] = [
        (number, signal.signal(number, ask)) for number in _SIGNALS
    ]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)

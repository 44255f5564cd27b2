"""What a worker process does. Importing this must stay cheap: the heavy parts come when it runs."""

from __future__ import annotations

import contextlib
import signal
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from ..errors import EfldError

if TYPE_CHECKING:
    from .settings import ExtractSettings

READY = "ready"
"""What a worker sends once its model is loaded."""


def work(connection: Connection, settings: ExtractSettings) -> None:
    """Answer every `Task` that comes with its `Outcome`, in order, until None comes.

    Where the model cannot be loaded, the `EfldError` is sent instead of `READY`.
    """
    # Ctrl-C is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from .picture import look_at, use_one_thread

    use_one_thread()
    # The parent may be gone, and then so is the work.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            landmarker = settings.landmarker()
        except EfldError as error:
            connection.send(error)
            return
        connection.send(READY)
        while (task := connection.recv()) is not None:
            connection.send(look_at(landmarker, settings, task))

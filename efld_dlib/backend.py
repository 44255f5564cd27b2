"""The one place that imports dlib, so that its absence gets one clear sentence."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingDependencyError


def load_dlib() -> ModuleType:
    """The dlib module.

    Raises
    ------
    MissingDependencyError
        dlib is not installed; the message has both ways to get it.
    """
    try:
        return importlib.import_module("dlib")
    except ImportError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            # Ctrl-C in the middle of its start, which it takes for a failure of its own.
            raise error.__cause__ from None
        raise MissingDependencyError(
            f"dlib cannot be imported ({error}): install it prebuilt with 'pip install dlib-bin', "
            "or compile it with 'pip install dlib' (needs cmake and a C++ compiler)"
        ) from error

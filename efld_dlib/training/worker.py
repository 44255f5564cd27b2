"""The child process in which dlib trains: ``python -m efld_dlib.training.worker JOB``.

dlib's trainer neither hears Ctrl-C nor says how far it is except on the C-level stdout, so it runs
alone in a process that can be killed and whose output the parent reads.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import sys
from typing import Any

from ..backend import load_dlib
from .options import TrainingOptions


def main() -> int:
    """Train as the job says: JSON with ``kind``, ``xml``, ``output`` and ``options``.

    Returns the exit code. The process dies with its terminal or its parent.
    """
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        # When the parent is gone, the next line of progress ends this process too.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    job = json.loads(sys.argv[1])
    dlib = load_dlib()
    if job["kind"] == "predictor":
        train, options = dlib.train_shape_predictor, TrainingOptions(**job["options"]).to_dlib()
    else:
        train, options = dlib.train_simple_object_detector, _detector_options(job["options"])
    options.be_verbose = True
    try:
        train(job["xml"], job["output"], options)
    except (RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        print(reason, file=sys.stderr)
        return 1
    return 0


def _detector_options(stated: dict[str, Any]) -> Any:
    options = load_dlib().simple_object_detector_training_options()
    for name, value in stated.items():
        setattr(options, name, value)
    return options


def _die_with_parent() -> None:
    """Let Linux kill this process when its parent was killed; dlib may not print for minutes."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())

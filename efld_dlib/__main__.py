"""``python -m efld_dlib`` works like ``efld-dlib``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Start the command line; until it is imported, Ctrl-C ends the process without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli.main import main as run

    run()
    sys.exit(0)


if __name__ == "__main__":
    main()

"""``python -m efld_dlib`` works like ``efld-dlib``."""

from .cli.main import main

if __name__ == "__main__":
    main()

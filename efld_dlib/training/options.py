"""Options of dlib's shape predictor trainer, and named sets of them.

The command line lists the sets in its help, which does not wait for NumPy and OpenCV.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..backend import load_dlib
from ..errors import OptionError, TrainingError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from ..records import ImageRecord


@dataclass(frozen=True)
class TrainingOptions:
    """Every option of dlib's trainer, under dlib's own names and with dlib's own defaults.

    Parameters
    ----------
    cascade_depth : int
        Number of cascades: rounds in which the shape is corrected.
    tree_depth : int
        Splits on the way to a leaf; a tree has 2**tree_depth leaves.
    num_trees_per_cascade_level : int
        Trees a cascade.
    nu : float
        Shrinkage of each tree's correction, in (0, 1].
    oversampling_amount : int
        Starting shapes drawn for each training face.
    oversampling_translation_jitter : float
        Random shift of those starts, as a fraction of the shape's extent.
    feature_pool_size : int
        Pixels to compare, drawn anew each cascade.
    lambda_param : float
        Scale of the preference for pixel pairs that lie near each other; above 0.
    num_test_splits : int
        Random splits of which the best is taken at each node.
    feature_pool_region_padding : float
        How far outside the landmarks pixels are drawn, as a fraction of their extent.
    landmark_relative_padding_mode : bool
        Whether that padding is relative to the landmarks (else to the box).
    random_seed : str
        Seed of the trainer's own chance.
    num_threads : int
        Threads to train with; 0 = one a core. With another number dlib adds up in another order,
        so that the model differs in its last digits.

    Raises
    ------
    OptionError
        A value is out of its range.
    """

    cascade_depth: int = 10
    tree_depth: int = 4
    num_trees_per_cascade_level: int = 500
    nu: float = 0.1
    oversampling_amount: int = 20
    oversampling_translation_jitter: float = 0.0
    feature_pool_size: int = 400
    lambda_param: float = 0.1
    num_test_splits: int = 20
    feature_pool_region_padding: float = 0.0
    landmark_relative_padding_mode: bool = True
    random_seed: str = "1"
    num_threads: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"{name} must be between {low} and {high}, not {value}")

    def to_dlib(self) -> Any:
        """The same as a `dlib.shape_predictor_training_options`."""
        from ..parallel import available_cores

        options = load_dlib().shape_predictor_training_options()
        for name, value in asdict(self).items():
            setattr(options, name, value)
        if not self.num_threads:
            # dlib itself takes 0 for "no thread but the caller's".
            options.num_threads = available_cores()
        return options


_RANGES: dict[str, tuple[float, float]] = {
    "cascade_depth": (1, 1000),
    "tree_depth": (1, 16),
    "num_trees_per_cascade_level": (1, 1_000_000),
    "nu": (1e-6, 1.0),
    "oversampling_amount": (1, 100_000),
    "oversampling_translation_jitter": (0.0, 1.0),
    "feature_pool_size": (2, 100_000),
    "lambda_param": (1e-6, 1e6),
    "num_test_splits": (1, 1_000_000),
    "feature_pool_region_padding": (0.0, 10.0),
    "num_threads": (0, 4096),
}


@dataclass(frozen=True)
class Preset:
    """A named set of options, and what it is for.

    Parameters
    ----------
    options : TrainingOptions
        Of dlib's trainer.
    purpose : str
    ridge : float
        Of fitting the leaves anew afterwards (`efld_dlib.training.refit`); 0 leaves them alone.
    slim : bool
        Whether the `.dat` is written with short mantissas.
    """

    options: TrainingOptions
    purpose: str
    ridge: float = 0.0
    slim: bool = False


# Half of dlib's usual oversampling or less: `prepare` makes several augmented samples of each face,
# which vary the picture and the box besides the starting shape.
PRESETS: dict[str, Preset] = {
    # In 2.1 MB go twice as many trees of depth 2 as of depth 3, at a lower error (docs/nano.md).
    "nano": Preset(
        TrainingOptions(
            num_trees_per_cascade_level=90,
            tree_depth=2,
            nu=0.25,
            oversampling_amount=10,
            num_test_splits=50,
        ),
        "2.1 MB as a plain .dat",
        ridge=0.15,
        slim=True,
    ),
    "small": Preset(
        TrainingOptions(num_trees_per_cascade_level=80, oversampling_amount=5, num_test_splits=50),
        "10 MB; quick to train",
    ),
    "standard": Preset(
        TrainingOptions(num_trees_per_cascade_level=200, oversampling_amount=5, num_test_splits=50),
        "25 MB; the usual choice",
    ),
    "large": Preset(
        TrainingOptions(
            num_trees_per_cascade_level=500, oversampling_amount=10, num_test_splits=50
        ),
        "63 MB; dlib's default size, hours of training on large sets",
    ),
    "refined": Preset(
        TrainingOptions(
            cascade_depth=20,
            num_trees_per_cascade_level=300,
            oversampling_amount=6,
            lambda_param=0.07,
            num_test_splits=40,
            feature_pool_region_padding=0.05,
        ),
        "80 MB; runs after the landmark network, on crops of prepare --framing refined",
    ),
    # Of 5,000 trees; in 10 cascades of 500, with dlib's other defaults, the error is 3 % higher.
    "plain": Preset(
        TrainingOptions(
            cascade_depth=20,
            num_trees_per_cascade_level=250,
            oversampling_amount=12,
            lambda_param=0.07,
            num_test_splits=40,
            feature_pool_region_padding=0.05,
        ),
        "66 MB; for dlib's own boxes",
    ),
}
DEFAULT_PRESET = "standard"


def find_preset(name: str) -> Preset:
    """The preset `name`.

    Raises
    ------
    OptionError
        There is no such preset; the message lists the names.

    Examples
    --------
    >>> find_preset("nano").purpose
    '2.1 MB as a plain .dat'
    """
    if name not in PRESETS:
        raise OptionError(f"there is no preset '{name}'; choose from {', '.join(PRESETS)}")
    return PRESETS[name]


def preset_options(name: str) -> TrainingOptions:
    """Dlib's options of the preset `name`.

    They are not the whole preset: some also fit the leaves again and shorten the file, which
    `efld_dlib.train(…, preset=name)` does.

    Raises
    ------
    OptionError
        There is no such preset.

    Examples
    --------
    >>> preset_options("standard").num_trees_per_cascade_level
    200
    """
    return find_preset(name).options


Options = TypeVar("Options", bound="DataclassInstance")


def override_options(options: Options, overrides: Mapping[str, Any]) -> Options:
    """`options` with other values of some fields, each as itself or as text.

    Raises
    ------
    OptionError
        A name is unknown, or a value is not of the option's kind or out of its range.

    Examples
    --------
    >>> options = override_options(preset_options("small"), {"nu": 0.05, "cascade_depth": "15"})
    >>> options.nu, options.cascade_depth, options.num_trees_per_cascade_level
    (0.05, 15, 80)
    """
    # What is None by default may be true or false.
    kinds = {
        field.name: bool if field.default is None else type(field.default)
        for field in fields(options)
    }
    for name in overrides:
        if name not in kinds:
            raise OptionError(f"dlib's trainer has no option {name!r}; it has {', '.join(kinds)}")
    changes = {
        name: convert_value(name, str(value), kinds[name]) for name, value in overrides.items()
    }
    return replace(options, **changes)


def convert_value(name: str, text: str | None, kind: type) -> Any:
    """The value of an option that was given as text; None if there is none.

    Raises
    ------
    OptionError
        The text does not stand for a value of that kind.
    """
    if text is None:
        return None
    if kind is bool:
        if text.lower() in ("1", "true", "yes"):
            return True
        if text.lower() in ("0", "false", "no"):
            return False
        raise OptionError(f"{name} takes true or false, not {text!r}")
    try:
        return kind(text)
    except ValueError:
        article = "a whole number" if kind is int else "a number"
        raise OptionError(f"{name} takes {article}, not {text!r}") from None


BASE_BYTES = 120 * 2**20
"""Python, dlib and OpenCV before any data."""

SHAPES_PER_SAMPLE = 5
"""dlib keeps, of every sample, its target, current and difference shapes and which points are
given, each with two float32 a landmark, and works on one more."""


def training_memory(records: list[ImageRecord], faces: int, options: TrainingOptions) -> int:
    """Bytes that dlib's trainer will need, within about a fifth.

    Parameters
    ----------
    records : list of ImageRecord
        What is trained on. The size of the first picture stands for all of them, as is true of
        the crops that `prepare` makes.
    faces : int
        Faces, copies counted.
    options : TrainingOptions

    Raises
    ------
    DataError
        The first picture cannot be read.
    """
    from ..images import read_image, to_gray

    landmarks = len(records[0].faces[0].points)
    # dlib loads every picture as 8-bit gray.
    pictures = len(records) * to_gray(read_image(records[0].path)).size
    sample = SHAPES_PER_SAMPLE * 8 * landmarks + 2 * options.feature_pool_size + 200
    return BASE_BYTES + pictures + faces * options.oversampling_amount * sample


def available_memory() -> int | None:
    """Bytes of memory that are free for a new process; None where Linux does not tell."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable: +(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def require_memory(needed: int, work: str, remedy: str) -> None:
    """Refuse, with a `TrainingError`, work that needs more bytes of memory than are free."""
    free = available_memory()
    if free is not None and needed > free:
        raise TrainingError(
            f"{work} needs about {needed / 2**30:.1f} GB of memory and {free / 2**30:.1f} GB are "
            f"free: {remedy}"
        )

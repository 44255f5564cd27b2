import dlib
import pytest

from efld_dlib.errors import OptionError
from efld_dlib.parallel import available_cores
from efld_dlib.training.options import (
    PRESETS,
    TrainingOptions,
    override_options,
    preset_options,
)


def test_defaults_are_dlibs_own():
    ours, theirs = TrainingOptions().to_dlib(), dlib.shape_predictor_training_options()
    names = [name for name in dir(theirs) if not name.startswith("_")]
    different = {name for name in names if getattr(ours, name) != getattr(theirs, name)}
    # The seed, because ours is written down so that a run can be repeated; and dlib's 0 threads
    # are a single one.
    assert different <= {"random_seed", "num_threads"}
    assert ours.num_threads == available_cores()


def test_every_option_of_dlib_can_be_set():
    theirs = dlib.shape_predictor_training_options()
    names = {name for name in dir(theirs) if not name.startswith("_")} - {"be_verbose"}
    assert names == set(TrainingOptions.__dataclass_fields__)


def test_assignments_change_the_named_options():
    changed = override_options(
        TrainingOptions(),
        {
            "nu": "0.05",
            "cascade_depth": "15",
            "random_seed": "abc",
            "landmark_relative_padding_mode": "no",
        },
    )
    native = changed.to_dlib()
    assert native.nu == 0.05
    assert native.cascade_depth == 15
    assert native.random_seed == "abc"
    assert not native.landmark_relative_padding_mode
    assert native.tree_depth == 4


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("mu=1", "no option 'mu'.*nu"),
        ("nu=small", "a number, not 'small'"),
        ("cascade_depth=2.5", "whole number"),
        ("nu=0", "nu must be between"),
        ("nu=nan", "nu must be between"),
        ("tree_depth=99", "tree_depth"),
        ("landmark_relative_padding_mode=maybe", "true or false"),
    ],
)
def test_bad_assignments_say_what_was_given(assignment, words):
    with pytest.raises(OptionError, match=words):
        override_options(TrainingOptions(), dict([assignment.split("=")]))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"mu": 1}, "no option 'mu'.*nu"),
        ({"nu": None}, "a number, not 'None'"),
        ({"cascade_depth": 2.5}, "whole number"),
        ({"tree_depth": 99}, "tree_depth must be between"),
    ],
)
def test_bad_overrides_say_what_was_given(overrides, words):
    with pytest.raises(OptionError, match=words):
        override_options(TrainingOptions(), overrides)


def test_overrides_may_be_values_or_text():
    values = {"nu": 0.123456789, "tree_depth": 3, "landmark_relative_padding_mode": False}
    changed = override_options(TrainingOptions(), values)
    assert {name: getattr(changed, name) for name in values} == values
    text = {name: str(value) for name, value in values.items()}
    assert override_options(TrainingOptions(), text) == changed


def test_presets_grow_and_an_unknown_one_lists_them():
    leaves = [
        p.options.cascade_depth * p.options.num_trees_per_cascade_level * 2**p.options.tree_depth
        for p in list(PRESETS.values())[:4]
    ]
    assert list(PRESETS)[:4] == ["nano", "small", "standard", "large"]
    assert set(PRESETS) - {"nano", "small", "standard", "large"} == {"refined", "plain"}
    assert leaves == sorted(leaves)
    with pytest.raises(OptionError, match="nano, small, standard, large"):
        preset_options("huge")

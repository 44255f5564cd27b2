"""An interrupted run, continued, gives what one gives that was not interrupted."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from made_up_outcomes import outcome

from efld_dlib.errors import DataError, EfldError, OptionError
from efld_dlib.extraction import run
from efld_dlib.extraction.run import extract, journal_path
from efld_dlib.extraction.settings import ExtractSettings
from efld_dlib.journal import open_journal

SETTINGS = ExtractSettings(features="36-45")


@pytest.fixture
def pictures(tmp_path):
    """Files in the place of pictures, one of them missing and one with a name that is no UTF-8."""
    names = [str(tmp_path / f"{number:02}, ü.jpg") for number in range(12)]
    for name in names[1:]:
        with open(name, "w") as file:
            file.write(name)
    strange = os.fsencode(tmp_path) + b"/\xff.jpg"
    with open(strange, "wb") as file:
        file.write(b"x")
    return [*names, os.fsdecode(strange)]


@pytest.fixture
def looked_at(monkeypatch):
    """Numbers of the pictures that are looked at; after `stop` of them the run is interrupted."""

    class Looked(list):
        stop = None

    looked = Looked()

    def outcomes(tasks, *rest):
        for task in tasks:
            if looked.stop is not None and len(looked) >= looked.stop:
                raise KeyboardInterrupt
            looked.append(task.number)
            yield outcome(task)

    monkeypatch.setattr(run, "_outcomes", outcomes)
    return looked


def interrupted(pictures, target, looked_at, after, **options):
    looked_at.clear()
    looked_at.stop = after
    with pytest.raises(KeyboardInterrupt):
        extract(pictures, target, SETTINGS, **options)
    looked_at.stop = None
    looked_at.clear()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_wherever_the_run_ends_the_table_is_the_same(tmp_path, pictures, looked_at, kind):
    whole = tmp_path / f"whole.{kind}"
    extract(pictures, whole, SETTINGS)
    target = tmp_path / f"again.{kind}"
    for done in range(len(pictures)):
        interrupted(pictures, target, looked_at, done)
        summary = extract(pictures, target, SETTINGS, earlier="resume")
        assert summary.continued == done
        assert looked_at == list(range(done, len(pictures)))
        assert (summary.pictures, summary.faces, summary.errors) == (13, 10, 3)
        assert target.read_bytes() == whole.read_bytes()
        assert sorted(tmp_path.glob("*.journal*")) == []


def test_a_run_is_interrupted_again_and_again(tmp_path, pictures, looked_at):
    extract(pictures, tmp_path / "whole.csv", SETTINGS)
    target = tmp_path / "t.csv"
    for _ in pictures[:-1]:
        interrupted(pictures, target, looked_at, 1, earlier="resume")
    assert extract(pictures, target, SETTINGS, earlier="resume").continued == 12
    assert target.read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("damage", ["cut short", "changed", "of an older version"])
def test_a_damaged_journal_is_refused_and_kept_until_restart(tmp_path, pictures, looked_at, damage):
    target = tmp_path / "t.csv"
    extract(pictures, tmp_path / "whole.csv", SETTINGS)
    interrupted(pictures, target, looked_at, 9)
    journal = journal_path(target)
    data = journal.read_bytes()
    damaged = {
        "cut short": data[: len(data) * 2 // 3],
        "changed": data.replace(b"not a picture", b"not a pictuRe", 1),
        "of an older version": b'00d01ac9 {"version":1,"settings":{}}\n',
    }[damage]
    assert damaged != data
    journal.write_bytes(damaged)
    for earlier in ("refuse", "resume"):
        with pytest.raises(DataError, match=r"t.csv.journal: is damaged.*--restart"):
            extract(pictures, target, SETTINGS, earlier=earlier)
        assert journal.read_bytes() == damaged
    assert extract(pictures, target, SETTINGS, earlier="restart").continued == 0
    assert target.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_work_that_is_done_is_not_thrown_away_unasked(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    interrupted(pictures, target, looked_at, 5)
    with pytest.raises(EfldError, match=r"done 5 of 13 pictures.*--resume.*--restart"):
        extract(pictures, target, SETTINGS)
    assert extract(pictures, target, SETTINGS, earlier="restart").continued == 0
    assert looked_at == list(range(13))


def test_what_is_to_be_done_about_an_earlier_run_is_one_of_three(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    interrupted(pictures, target, looked_at, 5)
    with pytest.raises(OptionError, match="refuse, resume, restart, not 'overwrite'"):
        extract(pictures, target, SETTINGS, earlier="overwrite")


def test_a_run_that_had_done_nothing_leaves_no_journal(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    interrupted(pictures, target, looked_at, 0)
    assert not journal_path(target).exists()
    # As of a run that was killed before its first picture was done.
    journal_path(target).touch()
    extract(pictures, target, ExtractSettings(features="30-48"))
    assert "d_30_48" in target.read_text()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (ExtractSettings(features="30-48"), "another features"),
        (ExtractSettings(features="36-45", min_score=0.5), "another min_score"),
        (
            ExtractSettings(features="36-45", detector="dlib", quality="best"),
            "detector and.*quality",
        ),
    ],
)
def test_other_settings_are_refused(tmp_path, pictures, looked_at, settings, named):
    target = tmp_path / "t.csv"
    interrupted(pictures, target, looked_at, 5)
    with pytest.raises(EfldError, match=named):
        extract(pictures, target, settings, earlier="resume")


def test_a_model_counts_by_its_content(tmp_path, pictures, looked_at):
    target, model = tmp_path / "t.csv", tmp_path / "model.dat"
    model.write_bytes(b"one")
    settings = ExtractSettings(str(model), "36-45", scheme="68")
    looked_at.stop = 5
    with pytest.raises(KeyboardInterrupt):
        extract(pictures, target, settings)
    looked_at.stop = None
    model.write_bytes(b"two")
    with pytest.raises(EfldError, match="another model"):
        extract(pictures, target, settings, earlier="resume")
    moved = model.rename(tmp_path / "moved.dat")
    moved.write_bytes(b"one")
    extract(pictures, target, replace(settings, model=str(moved)), earlier="resume")


def test_other_pictures_are_refused_by_name(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    interrupted(pictures, target, looked_at, 5)
    with pytest.raises(EfldError, match="13 pictures, and this one is of 12"):
        extract(pictures[:-1], target, SETTINGS, earlier="resume")
    with pytest.raises(EfldError, match="other pictures, or in another order"):
        extract(pictures[::-1], target, SETTINGS, earlier="resume")
    with open(pictures[3], "a") as file:
        file.write("more")
    with pytest.raises(EfldError, match=r"03, ü.jpg has changed"):
        extract(pictures, target, SETTINGS, earlier="resume")


def test_a_picture_that_was_missing_and_has_come_is_one_that_changed(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    interrupted(pictures, target, looked_at, 5)
    with open(pictures[0], "w") as file:
        file.write("here now")
    with pytest.raises(EfldError, match=r"00, ü.jpg has changed"):
        extract(pictures, target, SETTINGS, earlier="resume")


def test_a_picture_still_to_come_may_change(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    interrupted(pictures, target, looked_at, 5)
    with open(pictures[7], "a") as file:
        file.write("repaired")
    assert extract(pictures, target, SETTINGS, earlier="resume").continued == 5


def test_strict_stops_at_the_first_and_goes_on_where_it_was(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    with pytest.raises(DataError, match=r"02, ü.jpg: is grün, not a picture"):
        extract(pictures, target, SETTINGS, strict=True)
    assert not target.exists()
    looked_at.clear()
    reports = []
    summary = extract(pictures, target, SETTINGS, earlier="resume", report=reports.append)
    assert looked_at[0] == summary.continued == 2
    assert [str(error).split("/")[-1][:2] for error in reports] == ["02", "06", "10"]
    # A strict run does not go on from one that was not.
    interrupted(pictures, target, looked_at, 5)
    with pytest.raises(DataError, match="02"):
        extract(pictures, target, SETTINGS, earlier="resume", strict=True)


def test_two_runs_do_not_write_one_file(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"
    with (
        open_journal(journal_path(target)),
        pytest.raises(EfldError, match=r"t.csv.journal: another run is writing it"),
    ):
        extract(pictures, target, SETTINGS)
    assert not looked_at


def test_a_journal_that_somebody_removes_does_the_table_no_harm(tmp_path, pictures, looked_at):
    target = tmp_path / "t.csv"

    def remove(error):
        journal_path(target).unlink(missing_ok=True)

    assert extract(pictures, target, SETTINGS, report=remove).pictures == 13
    target.unlink()
    looked_at.clear()
    looked_at.stop = 5
    # What ends the run is told, not that the journal is gone.
    with pytest.raises(KeyboardInterrupt):
        extract(pictures, target, SETTINGS, report=remove)


def test_a_place_that_cannot_be_written_is_known_at_once(tmp_path, pictures, looked_at):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        extract(pictures, tmp_path / "file" / "t.csv", SETTINGS)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        extract(pictures, tmp_path / "folder.csv", SETTINGS)
    assert not looked_at


def test_a_picture_named_twice_is_taken_once(tmp_path, pictures, looked_at):
    extract([*pictures, *pictures[:4]], tmp_path / "t.csv", SETTINGS)
    assert looked_at == list(range(13))

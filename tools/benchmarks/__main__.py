"""The command line of the benchmarks: `python -m tools.benchmarks COMMAND`."""

from __future__ import annotations

import click

from efld_dlib.cli.main import SETTINGS, Commands

from . import detection, extract, groups, profile, results, start, table2, table3, things, video


@click.group(cls=Commands, context_settings=SETTINGS)
def benchmarks() -> None:
    """Measure efld_dlib beside other programs. The machine should be idle.

    \b
    Examples:
      python -m tools.benchmarks table2 build/efld.dat 300w/ --subset helen/testset
      python -m tools.benchmarks speed 300w/helen/testset/
    """


for command in (
    detection.poses,
    detection.speed,
    detection.turns,
    results.documents,
    extract.extract,
    groups.groups_command,
    profile.profile_command,
    start.start,
    table2.table2,
    table3.table3,
    things.things,
    video.video,
):
    benchmarks.add_command(command)

if __name__ == "__main__":
    benchmarks(prog_name="python -m tools.benchmarks")

"""``python -m tests.robustness --cases 5000 --seed 1``: damages files, runs all, prints counts."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from .runner import Case, Tally, draw_cases, run_cases
from .samples import make_samples
from .targets import TARGETS


@click.command()
@click.option("--cases", default=5000, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other cases.")
@click.option("--only", multiple=True, type=click.Choice(list(TARGETS)), help="Of these targets.")
@click.option("--case", "single", help="One case, as it was printed: TARGET:SEED.")
@click.option("--processes", default=2, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the sound files.")
def main(
    cases: int,
    seed: int,
    only: tuple[str, ...],
    single: str | None,
    processes: int,
    keep: Path | None,
) -> None:
    """Damage files of every kind at random, give them to every reader and command, and count."""
    started = time.monotonic()
    chosen = draw_cases(cases, seed, only or TARGETS)
    if single is not None:
        name, _, number = single.partition(":")
        chosen = [(name, int(number))]
    with tempfile.TemporaryDirectory(prefix="efld-samples-") as folder:
        samples = keep if keep is not None else Path(folder) / "samples"
        if not samples.is_dir():
            make_samples(samples)
        tally = run_cases(chosen, samples, processes)
    click.echo(report(tally, time.monotonic() - started))
    sys.exit(1 if tally.failures else 0)


def report(tally: Tally, seconds: float) -> str:
    """The counts as lines, a line a target, and each failure with the case that shows it."""
    outcomes = ("read", "skipped", "refused", "failed")
    lines = [f"{'target':<20}" + "".join(f"{outcome:>9}" for outcome in outcomes)]
    for name in TARGETS:
        numbers = [tally.outcomes[name, outcome] for outcome in outcomes]
        if sum(numbers):
            lines.append(f"{name:<20}" + "".join(f"{number:>9}" for number in numbers))
    counts = ", ".join(f"{tally.count(outcome)} {outcome}" for outcome in outcomes)
    lines.append(
        f"{tally.cases} cases in {seconds:.0f} s: {counts}; "
        f"at most {tally.memory / 2**20:.0f} MB of memory"
    )
    lines += [_shown(case, reason) for case, reason in tally.failures.items()]
    return "\n".join(lines)


def _shown(case: Case, reason: str) -> str:
    indented = "\n".join(f"    {line}" for line in reason.strip().splitlines())
    return f"--case {case[0]}:{case[1]}\n{indented}"


if __name__ == "__main__":
    main()

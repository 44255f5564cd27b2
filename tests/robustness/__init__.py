"""Bad input, faults and load, systematically: see docs/reliability.md."""

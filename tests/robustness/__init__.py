"""Bad input, faults and load, systematically: see docs/reliability.md."""

import os

# What is tried keeps its output back as at a user's shell, also where the machine asks every Python
# to write at once.
os.environ.pop("PYTHONUNBUFFERED", None)

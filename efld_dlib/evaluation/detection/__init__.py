"""Measuring face detectors: recall by pose and size, false alarms, time."""

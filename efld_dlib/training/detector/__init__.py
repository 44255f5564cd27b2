"""Training the toolkit's own face detector: sub-detectors by dlib, and their verifier."""

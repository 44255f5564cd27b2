"""Faces in videos: reading, following, smoothing, writing."""

"""Readers of annotated data sets, one module a format; each yields `ImageRecord`s."""

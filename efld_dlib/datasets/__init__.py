"""Readers of annotated data sets, one module a format; each yields `ImageRecord`s.

Besides their own parameters they all take `problems` and `counts`, see `base.reader`.
"""

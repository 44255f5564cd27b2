"""Synthetic faces with exact landmarks: a head in three dimensions, painted, lit and photographed.

The stations in their order: `layout` (control points of the mean head), `surface` (a mesh through
them), `recipe` (what varies from face to face), `shape` (a head of the recipe's form and
expression), `paint` (its skin), `camera` (where the landmarks fall), `raster` and `scene` (the
picture), `folder` (300-W's files).
"""

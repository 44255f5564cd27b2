"""A recipe made into a picture: head, ears, neck, shoulders, light, background, camera."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from efld_dlib.boxes import FloatArray, Pose

from .backdrop import backdrop
from .camera import landmarks, projected, turned
from .layout import HEAD_CENTRE, directions
from .paint import hairline, painted_head, swatch
from .raster import Mesh, grid_normals, join, rasterise
from .recipe import Light, Look, Recipe, Shot
from .shape import head_controls
from .surface import CHART_SIZE, chart_pixels, grid_triangles, head_surface

OVERSAMPLING = 2
SWATCH_ROWS = 24
SWATCHES = ("ear", "neck", "hair", "shirt")

GRID = (19, 31)  # rows and columns of the simple parts


def points_of(recipe: Recipe) -> FloatArray:
    """The landmarks of a face in pixels, counted from 0, shape (68, 2), without its picture."""
    controls = head_controls(recipe.form, recipe.expression)
    return landmarks(head_surface(), controls, recipe.pose, recipe.shot)


def picture(rng: np.random.Generator, recipe: Recipe) -> NDArray[np.uint8]:
    """Photograph a face.

    Parameters
    ----------
    rng : Generator
        Decides what the recipe leaves open: background, skin and sensor noise.
    recipe : Recipe
        The face.

    Returns
    -------
    array of uint8, shape (height, width, 3)
        Red, green, blue; `points_of` tells its landmarks.
    """
    controls = head_controls(recipe.form, recipe.expression)
    texture = _texture(rng, recipe)
    mesh = _body(controls, recipe.pose, recipe.look)
    colour, alpha = _rendered(mesh, texture, recipe.light, recipe.shot)
    behind = backdrop(rng, recipe.shot.width, recipe.shot.height)
    composed = behind * (1 - alpha[..., np.newaxis]) + colour
    return _exposed(rng, composed, recipe.shot)


def _texture(rng: np.random.Generator, recipe: Recipe) -> NDArray[np.float32]:
    """The head's chart, and below it a strip of colour for each of the `SWATCHES`."""
    look = recipe.look
    head = painted_head(rng, look, recipe.expression)
    colours = {"ear": look.skin, "neck": look.skin, "hair": look.hair, "shirt": look.shirt}
    strips = [swatch(rng, colours[name], 4.0, SWATCH_ROWS) for name in SWATCHES]
    return np.concatenate([head, *strips])


def _body(controls: FloatArray, pose: Pose, look: Look) -> Mesh:
    """All surfaces in the camera's frame."""
    half_turned = Pose(*(0.5 * angle for angle in pose))
    head = _head(controls, look)
    jaw_width = float(controls[12, 0] - controls[4, 0]) / 2
    parts = [(head, pose)]
    for side in (-1, 1):
        x = side * (float(np.abs(controls[[0, 16], 0]).mean()) + 3)
        ear = _ellipsoid((x, 20, 88), (5, 31, 17), "ear", tilt=side * 28.0)
        parts.append((ear, pose))
    parts.append((_neck(jaw_width), half_turned))
    if look.long_hair and look.hair_volume > 0:
        volume = 84 + look.hair_volume
        parts.append((_ellipsoid((0, 40, 130), (volume, 125, 62), "hair"), pose))
    parts.append((_shoulders(), Pose(0.4 * pose.yaw, 0.0, 0.2 * pose.roll)))
    return join([_posed(mesh, own) for mesh, own in parts])


def _posed(mesh: Mesh, pose: Pose) -> Mesh:
    origin = turned(np.zeros(3), pose)
    normals = turned(mesh.normals, pose) - origin
    return Mesh(turned(mesh.vertices, pose), mesh.triangles, normals, mesh.texture, mesh.shade)


def _head(controls: FloatArray, look: Look) -> Mesh:
    surface = head_surface()
    vertices = surface.weights @ controls
    above = hairline(surface.azimuth, look.hairline) - surface.elevation
    thickness = look.hair_volume * np.clip(above / 10, 0, 1) ** 0.7
    outward = vertices - HEAD_CENTRE
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    vertices = vertices + outward * thickness[:, np.newaxis]
    n_columns = len(np.unique(surface.azimuth))
    normals = grid_normals(vertices, len(vertices) // n_columns, n_columns)
    texture = chart_pixels(surface.azimuth, surface.elevation)
    # Below the jaw little light comes from above.
    shade = 1 - 0.45 * np.clip((surface.elevation - 56) / 16, 0, 1)
    return Mesh(vertices, surface.triangles, normals, texture, shade)


def _on_swatch(name: str, across: FloatArray) -> FloatArray:
    """Texture pixels in the middle of a swatch; `across` runs from 0 to 1."""
    row = CHART_SIZE[1] + SWATCH_ROWS * (SWATCHES.index(name) + 0.5)
    return np.stack([across * (CHART_SIZE[0] - 1), np.full_like(across, row)], axis=1)


def _ellipsoid(
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    swatch_name: str,
    tilt: float = 0.0,
) -> Mesh:
    """An ellipsoid, turned by `tilt` degrees about its upright axis."""
    rows, columns = GRID
    elevation, azimuth = (
        grid.ravel()
        for grid in np.meshgrid(
            np.linspace(-90, 90, rows), np.linspace(-180, 180, columns), indexing="ij"
        )
    )
    outward = directions(azimuth, elevation)
    turn = np.radians(tilt)
    rotation = np.array(
        [[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]
    )
    vertices = (outward * radii) @ rotation.T + centre
    normals = (outward / radii) @ rotation.T
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    texture = _on_swatch(swatch_name, np.abs(azimuth) / 180)
    return Mesh(vertices, grid_triangles(rows, columns), normals, texture, np.ones(len(vertices)))


def _neck(jaw_width: float) -> Mesh:
    rows, columns = GRID
    down, turn = (
        grid.ravel()
        for grid in np.meshgrid(
            np.linspace(0, 1, rows), np.linspace(-180, 180, columns), indexing="ij"
        )
    )
    outward = directions(turn, np.zeros_like(turn))
    radius = (jaw_width * 1.02) * (1 + 0.25 * np.clip(down - 0.7, 0, 1) ** 2 * 10)
    vertices = outward * radius[:, np.newaxis]
    vertices += np.stack([np.zeros_like(down), 50 + 170 * down, 80 + 25 * down], axis=1)
    # The head's shadow lies on the neck's upper part.
    shade = 0.5 + 0.4 * np.clip((down - 0.3) / 0.5, 0, 1)
    texture = _on_swatch("neck", np.abs(turn) / 180)
    return Mesh(vertices, grid_triangles(rows, columns), outward, texture, shade)


def _shoulders() -> Mesh:
    """The upper half of an ellipsoid on a pipe that leads down out of the picture."""
    middle = 262.0
    half = _ellipsoid((0, middle, 112), (205, 98, 78), "shirt")
    vertices = half.vertices.copy()
    lower = vertices[:, 1] > middle
    bulge = np.sqrt(np.maximum(1 - ((vertices[lower, 1] - middle) / 98) ** 2, 1e-4))
    vertices[lower, 0] /= bulge
    vertices[lower, 2] = 112 + (vertices[lower, 2] - 112) / bulge
    vertices[lower, 1] = middle + 4 * (vertices[lower, 1] - middle)
    return replace(half, vertices=vertices)


def _rendered(
    mesh: Mesh, texture: NDArray[np.float32], light: Light, shot: Shot
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colour times coverage, (height, width, 3), and coverage, (height, width)."""
    size = (shot.width * OVERSAMPLING, shot.height * OVERSAMPLING)
    # Pixel centres: the fine picture's pixel i lies at (i + 0.5) / OVERSAMPLING - 0.5.
    pixels = (projected(mesh.vertices, shot) + 0.5) * OVERSAMPLING - 0.5
    diffuse, gloss = _lighting(mesh, light)
    values = np.concatenate([mesh.texture, diffuse[:, np.newaxis], gloss[:, np.newaxis]], axis=1)
    covered, planes = rasterise(pixels, mesh.vertices[:, 2], mesh, values, size)

    colour = cv2.remap(
        texture, planes[0], planes[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    # Diffuse and gloss are 0 where nothing is: the colour there is black, as coverage wants it.
    colour *= planes[2, ..., np.newaxis]
    colour += 255 * planes[3, ..., np.newaxis]
    small = (shot.width, shot.height)
    alpha = cv2.resize(covered.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    return cv2.resize(colour, small, interpolation=cv2.INTER_AREA), alpha


def _lighting(mesh: Mesh, light: Light) -> tuple[FloatArray, FloatArray]:
    """Diffuse factor of the colour, and gloss as a share of white, each of shape (n,)."""
    key = directions(np.array(light.azimuth), np.array(-light.elevation))
    fill = directions(np.array(-light.azimuth - 30 * np.sign(light.azimuth)), np.array(-10.0))
    facing = mesh.normals @ key
    # Light creeps a little round the edge of the shadow, as it does in skin.
    lit = np.clip((facing + 0.2) / 1.2, 0, 1)
    diffuse = light.ambient + light.key * lit + light.fill * np.clip(mesh.normals @ fill, 0, 1)
    halfway = key + directions(np.array(0.0), np.array(0.0))
    halfway /= np.linalg.norm(halfway)
    gloss = light.gloss * np.clip(mesh.normals @ halfway, 0, 1) ** 18
    return diffuse * mesh.shade, gloss * mesh.shade


def _exposed(rng: np.random.Generator, scene: NDArray[np.float32], shot: Shot) -> NDArray[np.uint8]:
    """Lens blur and sensor noise."""
    blurred = cv2.GaussianBlur(scene.astype(np.float32), (0, 0), shot.blur)
    noise = rng.standard_normal(blurred.shape, dtype=np.float32) * np.float32(shot.noise)
    return np.clip(np.rint(blurred + noise), 0, 255).astype(np.uint8)

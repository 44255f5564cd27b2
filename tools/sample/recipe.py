"""What varies from face to face, and how much.

Every field's default is the mean, symmetric, neutral face in frontal pose and even light.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from efld_dlib.boxes import FloatArray, Pose

Colour = tuple[float, float, float]  # red, green, blue, 0 to 255


@dataclass(frozen=True)
class Form:
    """Proportions, as factors or in mm, and the irregularity of the control points."""

    width: float = 1.0
    jaw_width: float = 1.0
    lower_face: float = 1.0  # height below the nose
    depth: float = 1.0
    eye_spacing: float = 0.0  # mm outwards for each eye
    eye_height: float = 1.0  # opening of the lids
    brow_height: float = 0.0  # mm upwards
    brow_tilt: float = 0.0  # mm that the outer ends are lower than the inner
    nose_width: float = 1.0
    nose_length: float = 1.0
    nose_relief: float = 1.0
    mouth_width: float = 1.0
    lip_height: float = 1.0
    chin: float = 0.0  # mm forward
    irregular: FloatArray | None = None  # (n_controls, 3), mm


@dataclass(frozen=True)
class Expression:
    """What the muscles do."""

    mouth_open: float = 0.0  # mm at the lower lip
    smile: float = 0.0  # 0 to 1, negative: corners down
    pucker: float = 0.0  # 0 to 1
    left_eye_closed: float = 0.0  # -0.3 (wide) to 1
    right_eye_closed: float = 0.0
    brow_raise: float = 0.0  # mm
    frown: float = 0.0  # 0 to 1


@dataclass(frozen=True)
class Look:
    """Colours and what is painted on."""

    skin: Colour = (205.0, 160.0, 135.0)
    lips: Colour = (170.0, 95.0, 90.0)
    hair: Colour = (60.0, 42.0, 30.0)
    iris: Colour = (80.0, 60.0, 40.0)
    brow_strength: float = 0.8  # 0 to 1
    brow_thickness: float = 1.0
    beard: float = 0.0  # 0 to 1
    hairline: float = -36.0  # degrees of elevation in the middle of the forehead
    hair_volume: float = 7.0  # mm; 0 is a bald head
    long_hair: bool = False
    gaze: tuple[float, float] = (0.0, 0.0)  # mm to the picture's right, and down
    shirt: Colour = (80.0, 90.0, 110.0)


@dataclass(frozen=True)
class Light:
    """A key light, a fill light from the other side, and light from everywhere."""

    azimuth: float = 0.0  # degrees to the picture's right
    elevation: float = 35.0  # degrees above the camera
    key: float = 0.55
    fill: float = 0.2
    ambient: float = 0.4
    gloss: float = 0.08


@dataclass(frozen=True)
class Shot:
    """The camera: the picture's size, where the face is, and what the sensor does to it."""

    width: int = 400
    height: int = 400
    scale: float = 1.2  # pixels a mm, at the eyes' distance
    centre: tuple[float, float] = (200.0, 190.0)  # where the head's middle falls, pixels
    distance: float = 1100.0  # mm from the camera
    blur: float = 0.4  # pixels
    noise: float = 1.5  # grey levels
    quality: int = 92  # of the JPEG


@dataclass(frozen=True)
class Recipe:
    """One face, whole."""

    pose: Pose = Pose(0.0, 0.0, 0.0)
    form: Form = field(default_factory=Form)
    expression: Expression = field(default_factory=Expression)
    look: Look = field(default_factory=Look)
    light: Light = field(default_factory=Light)
    shot: Shot = field(default_factory=Shot)


SKINS: tuple[Colour, ...] = (
    *((235, 195, 172), (222, 178, 150), (205, 160, 130), (188, 140, 108)),
    *((160, 112, 82), (130, 90, 66), (100, 68, 50)),
)
HAIRS: tuple[Colour, ...] = (
    *((28, 24, 22), (48, 34, 26), (85, 58, 38), (130, 92, 56)),
    *((185, 150, 95), (120, 60, 32), (150, 148, 145)),
)
IRISES: tuple[Colour, ...] = ((60, 40, 25), (85, 62, 38), (80, 105, 125), (85, 100, 70))


def random_recipe(rng: np.random.Generator, n_controls: int) -> Recipe:
    """A face of its own, drawn from `rng`; `n_controls` control points are made irregular."""
    return Recipe(
        _random_pose(rng),
        _random_form(rng, n_controls),
        _random_expression(rng),
        _random_look(rng),
        _random_light(rng),
        _random_shot(rng),
    )


def _limited(rng: np.random.Generator, spread: float, limit: float) -> float:
    """A normal deviate about 0, cut at +-`limit`."""
    return float(np.clip(rng.normal(0.0, spread), -limit, limit))


def _random_pose(rng: np.random.Generator) -> Pose:
    far = rng.random() < 0.15
    yaw = rng.uniform(30, 60) * rng.choice((-1, 1)) if far else _limited(rng, 15, 30)
    return Pose(float(yaw), _limited(rng, 10, 30), _limited(rng, 9, 40))


def _random_form(rng: np.random.Generator, n_controls: int) -> Form:
    return Form(
        width=1 + _limited(rng, 0.05, 0.12),
        jaw_width=1 + _limited(rng, 0.06, 0.14),
        lower_face=1 + _limited(rng, 0.06, 0.14),
        depth=1 + _limited(rng, 0.05, 0.1),
        eye_spacing=_limited(rng, 1.2, 3),
        eye_height=1 + _limited(rng, 0.12, 0.25),
        brow_height=_limited(rng, 1.8, 4),
        brow_tilt=_limited(rng, 1.5, 4),
        nose_width=1 + _limited(rng, 0.12, 0.25),
        nose_length=1 + _limited(rng, 0.06, 0.14),
        nose_relief=1 + _limited(rng, 0.12, 0.25),
        mouth_width=1 + _limited(rng, 0.08, 0.18),
        lip_height=1 + _limited(rng, 0.2, 0.4),
        chin=_limited(rng, 2, 5),
        irregular=rng.normal(0.0, 0.45, (n_controls, 3)),
    )


def _random_expression(rng: np.random.Generator) -> Expression:
    opened = float(rng.choice((0.0, rng.uniform(1, 8), rng.uniform(8, 26)), p=(0.45, 0.33, 0.22)))
    smile = float(rng.choice((_limited(rng, 0.2, 0.4), rng.uniform(0.4, 1.0)), p=(0.55, 0.45)))
    closed = float(rng.choice((_limited(rng, 0.12, 0.25), rng.uniform(0.3, 1.0)), p=(0.85, 0.15)))
    wink = float(rng.uniform(0.5, 1.0)) if rng.random() < 0.03 else closed + _limited(rng, 0.03, 1)
    return Expression(
        mouth_open=opened,
        smile=smile,
        pucker=float(rng.uniform(0.3, 1.0)) if smile < 0.2 and rng.random() < 0.15 else 0.0,
        left_eye_closed=min(closed, 1.0),
        right_eye_closed=min(wink, 1.0),
        brow_raise=_limited(rng, 2.5, 7),
        frown=max(0.0, _limited(rng, 0.3, 1)),
    )


def _random_look(rng: np.random.Generator) -> Look:
    def varied(colour: Colour, spread: float) -> Colour:
        lighter = rng.normal(1.0, 0.06)
        red, green, blue = np.clip(np.array(colour) * lighter + rng.normal(0, spread, 3), 8, 245)
        return float(red), float(green), float(blue)

    skin = varied(SKINS[rng.integers(len(SKINS))], 3)
    made_up = rng.uniform(0.0, 1.0)
    red, green, blue = skin
    lips = (red * 0.88, green * (0.72 - 0.2 * made_up), blue * (0.76 - 0.18 * made_up))
    dark_skin = skin[0] < 150
    hair = varied(HAIRS[rng.integers(2 if dark_skin else len(HAIRS))], 4)
    return Look(
        skin=skin,
        lips=lips,
        hair=hair,
        iris=IRISES[0] if dark_skin else IRISES[rng.integers(len(IRISES))],
        brow_strength=float(rng.uniform(0.55, 0.95)),
        brow_thickness=float(rng.uniform(0.7, 1.4)),
        beard=float(rng.uniform(0.2, 0.9)) if rng.random() < 0.25 else 0.0,
        hairline=float(rng.uniform(-42, -30)),
        hair_volume=float(rng.choice((0.0, rng.uniform(3, 16)), p=(0.07, 0.93))),
        long_hair=bool(rng.random() < 0.4),
        gaze=(_limited(rng, 1.5, 4), _limited(rng, 0.5, 1.2)),
        shirt=varied((128.0, 128.0, 128.0), 45),
    )


def _random_light(rng: np.random.Generator) -> Light:
    return Light(
        azimuth=_limited(rng, 30, 70),
        elevation=float(rng.uniform(5, 60)),
        key=float(rng.uniform(0.3, 0.75)),
        fill=float(rng.uniform(0.05, 0.3)),
        ambient=float(rng.uniform(0.3, 0.5)),
        gloss=float(rng.uniform(0.02, 0.14)),
    )


def _random_shot(rng: np.random.Generator) -> Shot:
    scale = float(rng.uniform(0.95, 1.5))
    # Room for a face turned to any side: its landmarks reach 120 mm from the head's middle.
    least = max(320, int(2 * 120 * scale) + 4)
    width, height = (int(rng.integers(least, 481)) for _ in range(2))
    room = np.array([width, height]) / 2 - 120 * scale
    shift = rng.uniform(-1, 1, 2) * np.maximum(room, 0)
    return Shot(
        width=width,
        height=height,
        scale=scale,
        centre=(float(width / 2 + shift[0]), float(height / 2 + shift[1])),
        distance=float(rng.uniform(700, 2500)),
        blur=float(rng.choice((rng.uniform(0.2, 0.7), rng.uniform(0.7, 1.6)), p=(0.8, 0.2))),
        noise=float(rng.uniform(0.5, 5.0)),
        quality=int(rng.integers(75, 97)),
    )

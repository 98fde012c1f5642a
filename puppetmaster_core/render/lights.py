"""Directional lights. What leaves a surface is its colour times how brightly it is lit; nothing casts a shadow.

Two ways of lighting. *Plain*: on colours as displayed, ambient + Σ strength · |cos|, the same from both sides; thin panels
read well. *Physical*: on linear colours, ambient + Σ strength / π · max(0, cos) with the normal turned towards the camera,
which is what Cycles gives a diffuse surface under shadowless suns; then encoded as sRGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GAMMA = 2.2  # of the encoding, where a formula suffices


@dataclass(frozen=True)
class Sun:
    """A light infinitely far away."""

    towards: tuple[float, float, float]  # the direction from the object to the light; any length but 0
    strength: float  # plain: share of the displayed colour; physical: irradiance in W/m², as Blender counts it


@dataclass(frozen=True)
class Lights:
    """Any number of suns, and a glow from everywhere."""

    suns: tuple[Sun, ...] = (Sun((0.35, 0.8, 0.5), 0.5),)
    ambient: float = 0.55  # plain: share of the displayed colour; physical: share of the linear colour
    physical: bool = False

    def directions(self) -> np.ndarray:
        """Unit vectors to the suns, (number of suns, 3) float64."""
        towards = np.array([sun.towards for sun in self.suns], np.float64).reshape(-1, 3)
        return towards / np.linalg.norm(towards, axis=1, keepdims=True)

    def strengths(self) -> np.ndarray:
        """What the suns' cosines are multiplied by, (number of suns,) float64."""
        strength = np.array([sun.strength for sun in self.suns], np.float64)
        return strength / np.pi if self.physical else strength

    def as_physical(self) -> Lights:
        """Physical lights that look nearly the same: a plain sun, bright on both sides, is two opposite ones.

        Exact (up to the formula for sRGB) in the dark and where one sun stands straight above the surface.
        """
        if self.physical:
            return self
        dark = self.ambient**GAMMA
        strengths = [np.pi * ((self.ambient + sun.strength) ** GAMMA - dark) for sun in self.suns]
        pairs = [Sun(tuple(side * c for c in sun.towards), strength)
                 for sun, strength in zip(self.suns, strengths, strict=True) for side in (1.0, -1.0)]
        return Lights(tuple(pairs), dark, physical=True)


DRAG_A_MOVE_LIGHTS = Lights()

_UP = float(np.sqrt(0.5))
# Where the released renderings' key, fill, rim and bottom light stand (in our axes; key and rim coincide), and the strengths
# they choose from, in W/m².
_RELEASED = (((-0.5, _UP, 0.5), (3, 4, 5)), ((0.5, _UP, -0.5), (2, 3, 4)), ((-0.5, _UP, 0.5), (3, 4, 5)),
             ((0.0, -1.0, 0.0), (1, 2, 3)))


def released_lights(rng: np.random.Generator, exposure: float = 0.4) -> Lights:
    """Four shadowless suns of random strength, once an asset, as in the authors' rendering script.

    `exposure` darkens them: the script left tone mapping to Blender's default, here colours are encoded as sRGB as they are.
    """
    suns = tuple(Sun(towards, exposure * float(rng.choice(strengths))) for towards, strengths in _RELEASED)
    return Lights(suns, ambient=0.05, physical=True)

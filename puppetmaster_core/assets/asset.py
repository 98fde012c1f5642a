"""What the renderer and the drag sampler need to know of an animated object, wherever it came from.

Letters: V vertices, F triangles, S sub-models. Times in seconds, lengths in the asset's own units (the procedural assets'
rest pose fits a cube of side 1); +y is up, +z is the front (glTF's axes).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

WRAPS = ("repeat", "clamp", "mirror")  # of a texture beyond its edge: again, its edge's texel, or turned round


def displayed(linear) -> np.ndarray:
    """Linear light in [0, 1] as sRGB displays it (IEC 61966-2-1)."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.minimum(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * (linear ** (1 / 2.4) - 1) + 1), 1.0)


def linear(shown: np.ndarray) -> np.ndarray:
    """Displayed shares as linear light, the other way round."""
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def finite(positions: np.ndarray) -> np.ndarray:
    """Places of vertices as they are; ValueError where they are none."""
    if not np.isfinite(positions).all():
        raise ValueError("got vertices that are no numbers, expected finite positions")
    return positions


@dataclass(frozen=True)
class Material:
    """A surface's colour: `color` RGB as displayed, in [0, 1], multiplied by `texture` (h, w, 3 or 4) uint8 where there is one.

    Rows of a texture run down with v (glTF's convention); outside [0, 1] it goes on as `wrap` says, for u and for v. Its fourth
    channel and `alpha` make holes in the surface or let it shine through, as `alpha_mode` says. What the surface sends out by
    itself, `emission` linear RGB ≥ 0 × its texture, is added to what it reflects and lights nothing else.
    """

    color: tuple[float, float, float]
    texture: np.ndarray | None = None
    alpha: float = 1.0
    alpha_mode: str = "opaque"  # glTF's: "opaque", "mask" (a hole where alpha < alpha_cutoff) or "blend"
    alpha_cutoff: float = 0.5
    filtering: str = "nearest"  # of the texture: "nearest" texel, or "linear" between texels of a fitting size (mipmaps)
    wrap: tuple[str, str] = ("repeat", "repeat")  # of WRAPS, along u and v
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emission_texture: np.ndarray | None = None  # (h, w, 3) uint8, as displayed
    emission_filtering: str = "nearest"
    emission_wrap: tuple[str, str] = ("repeat", "repeat")
    unlit: bool = False  # shown in its own colour, whatever the lights
    double_sided: bool = True  # False: not drawn where its triangles are seen from behind, clockwise

    def __post_init__(self):
        known = {"alpha mode": (("opaque", "mask", "blend"), [self.alpha_mode]),
                 "filtering": (("nearest", "linear"), [self.filtering, self.emission_filtering]),
                 "wrap": (WRAPS, [*self.wrap, *self.emission_wrap])}
        for what, (names, values) in known.items():
            if strange := [value for value in values if value not in names]:
                raise ValueError(f"got {what} {strange[0]!r}, expected one of {', '.join(names)}: correct the material")


@dataclass(frozen=True)
class AnimationClip:
    """One named animation of an asset, `duration` in seconds."""

    name: str
    duration: float


@dataclass
class AnimatedAsset:
    """Triangles whose vertices move: the topology is fixed, `vertices(clip, t)` gives the positions.

    Every triangle belongs to one sub-model, the unit of the paper's drag sampling (§4): "assets constructed in a
    bottom-up manner, consisting of multiple sub-models that align well with semantic parts".
    """

    faces: np.ndarray  # (F, 3) int32, indices of vertices
    uv: np.ndarray  # (F, 3, 2) float32, texture coordinates of each corner
    material: np.ndarray  # (F,) int32, index into materials
    submodel: np.ndarray  # (F,) int32, index into submodels
    materials: list[Material]
    submodels: list[str]
    clips: list[AnimationClip]
    category: str = "Other"  # GObjaverse's category names, or our own
    provenance: dict = field(default_factory=dict)  # source, licence, seed: goes into every clip made from the asset
    # (F, 3) int32: corners with the same number ≥ 0 share a normal, so the surface looks round there; −1 in all three of a
    # triangle's corners = flat. None = flat everywhere.
    smooth: np.ndarray | None = None
    # (F, 3, 4) float32, linear RGBA of each corner, multiplied into the surface's colour and alpha. None = white everywhere.
    colors: np.ndarray | None = None
    # (F, 3, 2) float32, texture coordinates of each corner in emission textures. None = those in `uv`.
    emission_uv: np.ndarray | None = None

    def vertices(self, clip: int | str, t: float) -> np.ndarray:
        """Positions (V, 3) float64 of all vertices of animation `clip` at time `t` seconds."""
        raise NotImplementedError("a concrete asset says how its vertices move")

    def trajectories(self, clip: int | str, times: np.ndarray) -> np.ndarray:
        """Positions (N, V, 3) float64 of all vertices of animation `clip` at `times` (N,) seconds: `vertices` at each."""
        return np.stack([self.vertices(clip, t) for t in times])

    def clip_index(self, clip: int | str) -> int:
        """The index of an animation given by index or name."""
        names = [c.name for c in self.clips]
        if isinstance(clip, str) and clip in names:
            return names.index(clip)
        if isinstance(clip, int) and 0 <= clip < len(names):
            return clip
        raise ValueError(f"got animation {clip!r}, expected one of {names} or its index: correct the name")

    def sample_times(self, clip: int | str, frames: int) -> np.ndarray:
        """`frames` times in seconds spread evenly over the animation, first and last included."""
        return np.linspace(0.0, self.clips[self.clip_index(clip)].duration, frames)

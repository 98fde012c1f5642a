"""One asset filmed: every animation from several views, each with exact tracks and drags.

Letters: N frames, V vertices. Every clip has random numbers of its own, drawn from the run's seed and the asset's name.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from puppetmaster_core import __version__
from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.labels import label
from puppetmaster_core.clips.mixture import group_of
from puppetmaster_core.clips.rules import RULES
from puppetmaster_core.clips.sources import asset_rng, content_sha256
from puppetmaster_core.render import Camera, Lights, Rendering, make_background, render, setting_named
from puppetmaster_core.render.blender import render_blender

DAY = 86400.0  # seconds: a worker's own time limit ends Blender sooner
ATTEMPTS = 10  # cameras tried for a view in which something visible moves
LATER = 200  # frames after the clip, at the most, by which points are weighed
RENDERERS = ("fast", "blender")


@dataclass(frozen=True)
class Filming:
    """How assets are filmed; part of a run's plan."""

    size: int = 64  # pixels a side
    frames: int = 14  # N
    views: int = 1  # an animation; the release has 12
    setting: str = "drag-a-move"  # cameras and lights, of render.SETTINGS
    background: str = "white"  # of render.BACKGROUNDS
    rules: str = "paper"  # of clips.rules.RULES
    renderer: str = "fast"  # of RENDERERS
    fps: float | None = None  # frames a second from a random start on; None spreads N frames over the whole animation
    candidates: int = 4  # tracks a moving part, to draw other drags from while training
    seed: int = 0


@dataclass(frozen=True)
class Shot:
    """A clip with its key and its row of the index, or the reason why there is none."""

    key: str
    clip: Clip | None = None
    row: dict | None = None
    reason: str | None = None


def film(asset: AnimatedAsset, number: int, name: str, how: Filming) -> Iterator[Shot]:
    """Shots of asset `number`, called `name` in its source. Raises ValueError where the asset does not move at all."""
    if not asset.clips:
        raise ValueError("no animation came, wanted one at least")
    provenance = _provenance(asset, name, how)
    tools = _tools(how)
    lights = setting_named(how.setting).lights(asset_rng(how.seed, name))
    for animation, known in enumerate(asset.clips):
        keys = [f"{number:06d}-{_plain(name)}-a{animation:02d}-v{view:02d}" for view in range(how.views)]
        if not (np.isfinite(known.duration) and known.duration > 0):
            yield from (Shot(key, reason=f"animation {known.name!r} lasts {known.duration:g} s") for key in keys)
            continue
        for view, key in enumerate(keys):
            take = _take(asset, name, animation, view, lights, how)
            if take is None:
                yield Shot(key, reason=f"animation {known.name!r}, view {view + 1}: nothing visible moves in {ATTEMPTS} tries")
                continue
            clip = replace(take.label(asset, how) if how.renderer == "fast" else take.again(asset, lights, how),
                           provenance={**provenance, "animation": known.name, "view": view}, tools=tools)
            yield Shot(key, clip, _row(key, clip, name, how))


@dataclass(frozen=True)
class _Take:
    """Where the asset is in each frame and after, from where it is seen, and how the fast renderer draws that."""

    positions: np.ndarray  # (N, V, 3)
    onward: np.ndarray | None  # (M − N, V, 3), where the rules ask for it
    camera: Camera
    rendering: Rendering
    seed: int  # of the drags and the background

    def label(self, asset: AnimatedAsset, how: Filming, rendering: Rendering | None = None) -> Clip:
        rng = np.random.default_rng(self.seed)
        rendering = rendering or self.rendering
        if how.background != "white":
            rendering = rendering.over(make_background(how.background, rng, how.size))
        return label(asset, self.positions, self.camera, rendering, rng, RULES[how.rules], candidates=how.candidates,
                     later=self.onward)

    def again(self, asset: AnimatedAsset, lights: Lights, how: Filming) -> Clip:
        """The same take by Blender."""
        drawn = render_blender(asset, self.positions, [self.camera], how.size, lights=lights, time_limit=DAY)
        return self.label(asset, how, drawn[0])


def _take(asset: AnimatedAsset, name: str, animation: int, view: int, lights: Lights, how: Filming) -> _Take | None:
    """A view in which something moves, or None."""
    rng = asset_rng(how.seed, name, animation, view)
    times, later = sample_times(asset, animation, how, rng)
    positions = _positions(asset, animation, times)
    if np.ptp(positions, axis=0).max() == 0:
        return None
    if len(later) > LATER:  # an hour of animation is not held in memory at once
        later = later[np.linspace(0, len(later) - 1, LATER).astype(int)]
    onward = _positions(asset, animation, later) if len(later) and RULES[how.rules].weight == "animation" else None
    for _ in range(ATTEMPTS):
        camera = setting_named(how.setting).camera(rng, positions, view, how.views)
        rendering = render(asset, positions, camera, how.size, lights=lights)
        take = _Take(positions, onward, camera, rendering, int(rng.integers(2**63)))
        if len(take.label(asset, how).drags):
            return take
    return None


def sample_times(asset: AnimatedAsset, animation: int, how: Filming, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,) of a clip's frames in seconds, and (M − N,) of those that follow at the same pace to the animation's end.

    An animation too short for N frames at `fps` is spread over N.
    """
    duration = asset.clips[animation].duration
    if how.fps is None or (how.frames - 1) / how.fps >= duration:
        return asset.sample_times(animation, how.frames), np.empty(0)
    start = rng.uniform(0, duration - (how.frames - 1) / how.fps)
    times = start + np.arange(0, (duration - start) * how.fps + 1e-9) / how.fps
    return times[: how.frames], times[how.frames :]


def _positions(asset: AnimatedAsset, animation: int, times: np.ndarray) -> np.ndarray:
    """Vertices (N, V, 3) at times (N,); assets that can compute them all at once do. Raises ValueError."""
    at_once = getattr(asset, "positions", None)
    positions = at_once(animation, times) if callable(at_once) else np.stack([asset.vertices(animation, t) for t in times])
    if not np.isfinite(positions).all():
        raise ValueError("vertices that are no numbers came, wanted finite positions")
    return positions


def _plain(name: str) -> str:
    """A name fit for a tar member: no dots, which end WebDataset's keys, and not long."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name)[-60:]


def _provenance(asset: AnimatedAsset, name: str, how: Filming) -> dict:
    known = dict(asset.provenance)
    sha256 = known.pop("sha256", None) or content_sha256(asset)
    return {"source": name, "licence": "unknown", **known, "asset": name, "source_sha256": sha256, "run_seed": how.seed}


def _tools(how: Filming) -> dict:
    return {"puppetmaster_core": __version__, "renderer": how.renderer, "python": platform.python_version(),
            **{package: version(package) for package in ("numpy", "numba", "pillow")}}


def _row(key: str, clip: Clip, name: str, how: Filming) -> dict:
    """The clip's row of the index, but for its place."""
    about = clip.provenance
    travel = np.linalg.norm(clip.drags - clip.drags[:, :1], axis=-1).max()
    return {"key": key, "asset": name, "animation": about["animation"], "view": about["view"], "category": clip.category,
            "group": group_of(clip.category, about), "size": how.size, "frames": len(clip.frames),
            "submodels": len(np.unique(clip.part_ids[0][clip.part_ids[0] >= 0])), "tracks": len(clip.tracks),
            "drags": len(clip.drags), "travel": float(travel), "seed": int(about.get("seed", how.seed)),
            "renderer": how.renderer, "licence": str(about["licence"]), "source": str(about["source"]),
            "source_sha256": about["source_sha256"]}

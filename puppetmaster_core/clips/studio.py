"""One asset filmed: every animation from several views, each with exact displacement and drags.

Letters: N frames, V vertices. Every clip has random numbers of its own, drawn from the run's seed and the asset's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset, finite
from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.displacement import Displacement
from puppetmaster_core.clips.drag_sampling import RULES
from puppetmaster_core.clips.labels import label
from puppetmaster_core.clips.mixture import group_of
from puppetmaster_core.clips.sources import Source, asset_rng, content_sha256
from puppetmaster_core.provenance import versions
from puppetmaster_core.render import SETTINGS, BlenderError, Rendering, make_background, render, render_blender

DAY = 86400.0  # seconds
MENDED = 5  # lines on what was mended in a file that go with each of its clips
TAIL = 2000  # characters of Blender's stderr that are kept of a failure
ATTEMPTS = 10  # cameras tried for a view in which something visible moves
LATER = 200  # frames after the clip, at the most, by which points are weighed


@dataclass(frozen=True)
class Filming:
    """How assets are filmed; part of a run's plan."""

    size: int = 64  # pixels a side
    frames: int = 14  # N
    views: int = 1  # an animation; the release has 12
    setting: str = "drag-a-move"  # cameras and lights, of render.SETTINGS
    background: str = "white"  # of render.BACKGROUNDS
    rules: str = "paper"  # of clips.drag_sampling.RULES
    renderer: str = "fast"  # or "blender"
    fps: float | None = None  # frames a second from a random start on; None spreads N frames over the whole animation
    field_size: int = 64  # pixels a side of the exact displacement; 0: none is kept
    seed: int = 0


@dataclass(frozen=True)
class Shot:
    """A clip with its key and its row of the index, or the reason why there is none."""

    key: str
    clip: Clip | None = None
    row: dict | None = None
    reason: str | None = None
    detail: str = ""  # what Blender wrote to stderr, where that failed


def film(asset: AnimatedAsset, number: int, name: str, how: Filming, time_limit: float = DAY) -> Iterator[Shot]:
    """Shots of asset `number`, called `name` in its source. An animation that cannot be computed costs its own shots only.

    time_limit: seconds a clip, for Blender. Raises ValueError where the asset has no animation.
    """
    if not asset.clips:
        raise ValueError("got an asset without animations, expected one at least")
    provenance, tools = _provenance(asset, name, how), {"renderer": how.renderer, **versions("numpy", "numba", "pillow")}
    lights = SETTINGS[how.setting].lights(asset_rng(how.seed, name))

    @lru_cache(maxsize=2)  # views mostly share their times
    def move(animation: int, times: tuple[float, ...]) -> np.ndarray:
        return finite(asset.trajectories(animation, np.array(times)))

    for animation, known in enumerate(asset.clips):
        called = f"animation {known.name!r}"
        for view in range(how.views):
            key = f"{number:06d}-{_plain(name)}-a{animation:02d}-v{view:02d}"
            if not (np.isfinite(known.duration) and known.duration > 0):
                yield Shot(key, reason=f"{called} lasts {known.duration:g} s")
                continue
            try:
                clip = _shoot(asset, name, animation, view, move, lights, how, time_limit)
            except BlenderError as error:
                yield Shot(key, reason=f"{called}, view {view + 1}: {error}", detail=error.stderr[-TAIL:])
            except ValueError as error:
                yield Shot(key, reason=f"{called}: {error}")
            else:
                if clip is None:
                    yield Shot(key, reason=f"{called}, view {view + 1}: {_still(how)} in {ATTEMPTS} tries")
                else:
                    clip = replace(clip, provenance={**provenance, "animation": known.name, "view": view}, tools=tools)
                    yield Shot(key, clip, _row(key, clip, name, how) | {"notes": list(getattr(asset, "notes", ()))})


def filmed(source: Source, how: Filming) -> Iterator[Clip]:
    """The clips of a source's assets, one after the other; what shows no motion is left out."""
    for number in range(len(source)):
        shots = film(source.open(number), number, source.name(number), how)
        yield from (shot.clip for shot in shots if shot.clip is not None)


def _shoot(asset, name, animation, view, move, lights, how, time_limit) -> Clip | None:
    """The clip of a view in which something moves; None where there is none. Raises ValueError and BlenderError."""
    rng = asset_rng(how.seed, name, animation, view)
    times, later = sample_times(asset, animation, how, rng)
    positions = move(animation, tuple(times))
    if len(later) > LATER:  # an hour of animation is not held in memory at once
        later = later[np.linspace(0, len(later) - 1, LATER).astype(int)]
    onward = move(animation, tuple(later)) if len(later) and RULES[how.rules].weight == "animation" else None
    for _ in range(ATTEMPTS if np.ptp(positions, axis=0).max() > 0 else 0):
        camera = SETTINGS[how.setting].camera(rng, positions, view, how.views)
        seed = int(rng.integers(2**63))  # of the drags and the background
        clip = _label(asset, positions, onward, camera, render(asset, positions, camera, how.size, lights=lights), how, seed)
        if not len(clip.drags):
            continue
        if how.renderer == "blender":  # ends sooner than the worker's own limit, so that what Blender said is kept
            drawn = render_blender(asset, positions, camera, how.size, lights=lights, time_limit=0.9 * time_limit)
            clip = _label(asset, positions, onward, camera, drawn, how, seed)
        return clip
    return None


def _label(asset, positions, onward, camera, rendering: Rendering, how: Filming, seed: int) -> Clip:
    rng = np.random.default_rng(seed)
    if how.background != "white":
        rendering = rendering.over(make_background(how.background, rng, how.size))
    clip = label(asset, positions, camera, rendering, rng, RULES[how.rules], later=onward)
    if how.field_size and len(clip.drags):
        exact = Displacement.of(asset, positions, camera, how.field_size)
        clip = replace(clip, displacement=exact.offset, depth=exact.depth, seen=exact.seen, field_parts=exact.parts)
    return clip


def _still(how: Filming) -> str:
    """Why a view gives no drag."""
    if RULES[how.rules].straight:
        return "nothing visible ends elsewhere than it began, so there is no straight drag (film a part of it with fps)"
    return "nothing visible moves"


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


def _plain(name: str) -> str:
    """A name fit for a tar member: no dots, which end WebDataset's keys, and not long."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name)[-60:]


def _provenance(asset: AnimatedAsset, name: str, how: Filming) -> dict:
    known = dict(asset.provenance)
    sha256 = known.pop("sha256", None) or content_sha256(asset)
    if mended := getattr(asset, "report", None):  # defects of a file
        known["mended"] = mended[:MENDED]
    return {"source": name, "licence": "unknown", **known, "asset": name, "source_sha256": sha256, "run_seed": how.seed}


def _row(key: str, clip: Clip, name: str, how: Filming) -> dict:
    """The clip's row of the index, but for its place."""
    about = clip.provenance
    travel = np.linalg.norm(clip.drags - clip.drags[:, :1], axis=-1).max()
    return {"key": key, "asset": name, "animation": about["animation"], "view": about["view"], "category": clip.category,
            "group": group_of(clip.category, about), "size": how.size, "frames": len(clip.frames),
            "submodels": len(np.unique(clip.part_ids[0][clip.part_ids[0] >= 0])), "drags": len(clip.drags),
            "travel": float(travel), "seed": about.get("seed", how.seed), "renderer": how.renderer,
            "licence": str(about["licence"]), "source": str(about["source"]), "source_sha256": about["source_sha256"]}

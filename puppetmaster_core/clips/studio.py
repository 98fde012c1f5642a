"""One asset filmed: every animation from several views, each with exact displacement and drags.

Letters: N frames, V vertices. Every clip has random numbers of its own, drawn from the run's seed and the asset's name.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version

import numpy as np

from puppetmaster_core import __version__
from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.displacement import Displacement
from puppetmaster_core.clips.labels import label
from puppetmaster_core.clips.mixture import group_of
from puppetmaster_core.clips.rules import RULES
from puppetmaster_core.clips.sources import Source, asset_rng, content_sha256
from puppetmaster_core.isolation import restart_time_limit
from puppetmaster_core.render import BlenderError, Camera, Lights, Rendering, make_background, render, render_blender
from puppetmaster_core.render.views import setting_named

DAY = 86400.0  # seconds
MENDED = 5  # lines on what was mended in a file that go with each of its clips
TAIL = 2000  # characters of Blender's stderr that are kept of a failure
TOGETHER = 12 * 14 * 256**2  # pixels that one Blender process draws; it holds 48 bytes of each, and as much again at the end
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


@dataclass(frozen=True)
class Take:
    """Where the asset is in each frame, from where it is seen, and the clip that the fast renderer makes of it."""

    key: str
    view: int
    positions: np.ndarray  # (N, V, 3)
    onward: np.ndarray | None  # (M − N, V, 3) after the clip, where the rules ask for it
    camera: Camera
    seed: int  # of the drags and the background
    clip: Clip | None = None


def film(asset: AnimatedAsset, number: int, name: str, how: Filming, time_limit: float = DAY) -> Iterator[Shot]:
    """Shots of asset `number`, called `name` in its source. An animation that cannot be computed costs its own shots only.

    time_limit: seconds a clip, for Blender. Raises ValueError where the asset has no animation.
    """
    if not asset.clips:
        raise ValueError("got an asset without animations, expected one at least")
    provenance, tools = _provenance(asset, name, how), _tools(how)
    lights = setting_named(how.setting).lights(asset_rng(how.seed, name))
    for animation, known in enumerate(asset.clips):
        for shot in _film_animation(asset, number, name, animation, lights, how, time_limit):
            if shot.clip is None:
                yield replace(shot, reason=f"animation {known.name!r}{shot.reason}")
                continue
            clip = replace(shot.clip, provenance={**provenance, "animation": known.name, **shot.clip.provenance}, tools=tools)
            yield replace(shot, clip=clip, row=_row(shot.key, clip, name, how) | {"notes": list(getattr(asset, "notes", ()))})


def filmed(source: Source, how: Filming) -> Iterator[Clip]:
    """The clips of a source's assets, one after the other; what shows no motion is left out."""
    for number in range(len(source)):
        shots = film(source.open(number), number, source.name(number), how)
        yield from (shot.clip for shot in shots if shot.clip is not None)


def _film_animation(asset, number, name, animation, lights, how, time_limit) -> Iterator[Shot]:
    """Shots without a row; their clips know of their view only."""
    keys = [f"{number:06d}-{_plain(name)}-a{animation:02d}-v{view:02d}" for view in range(how.views)]
    duration = asset.clips[animation].duration
    if not (np.isfinite(duration) and duration > 0):
        yield from (Shot(key, reason=f" lasts {duration:g} s") for key in keys)
        return
    move = lru_cache(maxsize=2)(lambda times: _positions(asset, animation, np.array(times)))  # views mostly share their times
    takes = []
    for view, key in enumerate(keys):
        try:
            take = _take(asset, name, animation, view, key, move, lights, how)
        except ValueError as error:
            yield Shot(key, reason=f": {error}")
            continue
        if take.clip is None:
            yield Shot(key, reason=f", view {view + 1}: {_still(how)} in {ATTEMPTS} tries")
        elif how.renderer == "fast":
            yield Shot(key, replace(take.clip, provenance={"view": view}))
        else:
            takes.append(replace(take, clip=None))
    for some in _together(takes, how):
        yield from _by_blender(asset, some, lights, how, time_limit)


def _take(asset, name, animation, view, key, move, lights, how) -> Take:
    """A view in which something moves; without a clip where there is none."""
    rng = asset_rng(how.seed, name, animation, view)
    times, later = sample_times(asset, animation, how, rng)
    positions = move(tuple(times))
    if len(later) > LATER:  # an hour of animation is not held in memory at once
        later = later[np.linspace(0, len(later) - 1, LATER).astype(int)]
    onward = move(tuple(later)) if len(later) and RULES[how.rules].weight == "animation" else None
    for _ in range(ATTEMPTS if np.ptp(positions, axis=0).max() > 0 else 0):
        camera = setting_named(how.setting).camera(rng, positions, view, how.views)
        rendering = render(asset, positions, camera, how.size, lights=lights)
        take = Take(key, view, positions, onward, camera, int(rng.integers(2**63)))
        clip = _label(asset, take, rendering, how)
        if len(clip.drags):
            return replace(take, clip=clip)
    return Take(key, view, positions, onward, None, 0)


def _label(asset: AnimatedAsset, take: Take, rendering: Rendering, how: Filming) -> Clip:
    rng = np.random.default_rng(take.seed)
    if how.background != "white":
        rendering = rendering.over(make_background(how.background, rng, how.size))
    clip = label(asset, take.positions, take.camera, rendering, rng, RULES[how.rules], later=take.onward)
    if how.field_size and len(clip.drags):
        return clip.with_displacement(Displacement.of(asset, take.positions, take.camera, how.field_size))
    return clip


def _still(how: Filming) -> str:
    """Why a view gives no drag."""
    if RULES[how.rules].straight:
        return "nothing visible ends elsewhere than it began, so there is no straight drag (film a part of it with fps)"
    return "nothing visible moves"


def _together(takes: list[Take], how: Filming) -> Iterator[list[Take]]:
    """Takes that one Blender process draws: of the same motion, and not more pictures than memory holds."""
    most = max(1, TOGETHER // (how.frames * how.size**2))
    while takes:
        some = [take for take in takes[:most] if take.positions is takes[0].positions]
        yield some
        takes = [take for take in takes if not any(take is other for other in some)]


def _by_blender(asset: AnimatedAsset, takes: list[Take], lights: Lights, how: Filming, time_limit: float) -> Iterator[Shot]:
    """The same takes by Blender, in one process."""
    restart_time_limit(len(takes))
    limit = 0.9 * time_limit * len(takes)  # sooner than the worker's own, so that what Blender said is kept
    first = takes[0]
    try:
        drawn = render_blender(asset, first.positions, [take.camera for take in takes], how.size, lights=lights, time_limit=limit)
    except BlenderError as error:
        yield from (Shot(take.key, reason=f", view {take.view + 1}: {error}", detail=error.stderr[-TAIL:]) for take in takes)
        return
    for take, rendering in zip(takes, drawn, strict=True):
        clip = _label(asset, take, rendering, how)
        if len(clip.drags):
            yield Shot(take.key, replace(clip, provenance={"view": take.view}))
        else:
            yield Shot(take.key, reason=f", view {take.view + 1}: {_still(how)} as Blender draws it")


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
    """Vertices (N, V, 3) at times (N,). Raises ValueError."""
    positions = asset.trajectories(animation, times)
    if not np.isfinite(positions).all():
        raise ValueError("got vertices that are no numbers, expected finite positions")
    return positions


def _plain(name: str) -> str:
    """A name fit for a tar member: no dots, which end WebDataset's keys, and not long."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name)[-60:]


def _provenance(asset: AnimatedAsset, name: str, how: Filming) -> dict:
    known = dict(asset.provenance)
    sha256 = known.pop("sha256", None) or content_sha256(asset)
    if mended := getattr(asset, "report", None):  # defects of a file
        known["mended"] = mended[:MENDED]
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
            "submodels": len(np.unique(clip.part_ids[0][clip.part_ids[0] >= 0])), "drags": len(clip.drags),
            "travel": float(travel), "seed": about.get("seed", how.seed), "renderer": how.renderer,
            "licence": str(about["licence"]), "source": str(about["source"]), "source_sha256": about["source_sha256"]}

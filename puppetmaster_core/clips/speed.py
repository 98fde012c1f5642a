"""How fast clips are made and read on this machine: frames a second of each renderer, clips a second from asset to shard.

CPU seconds are those of one core, whatever else the machine does; wall seconds are those of the whole road with its workers.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from puppetmaster_core.assets import asset_source
from puppetmaster_core.clips.plan import Plan, settle
from puppetmaster_core.clips.production import make_shards, open_shards
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming
from puppetmaster_core.render import Cycles, blender_python, drag_a_move_camera, render, render_blender

FRAMES = 14


@dataclass(frozen=True)
class Speed:
    """One measurement: `count` of `unit` in `seconds`, of one core's CPU time or of the clock's."""

    what: str
    size: int  # pixels a side
    unit: str  # "frames" or "clips"
    count: int
    seconds: float
    clock: str  # "CPU" or "wall"

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def measure(sizes: tuple[int, ...] = (64, 256), clips: int = 60, workers: int = 2,
            source: str = "library:furniture") -> Iterator[Speed]:
    """All speeds, one after the other; Blender's where it is installed."""
    for size in sizes:
        yield fast_renderer(size)
    if blender_python() is not None:
        for size in sizes:
            yield blender_renderer(size)
    for size in sizes:
        yield from asset_to_shard(size, clips, workers, source)


def fast_renderer(size: int, cabinets: int = 12) -> Speed:
    """Frames of cabinets, 14 from one view each, drawn in this process."""
    films = [_film(seed) for seed in range(cabinets)]
    render(*films[0], size)  # compiles, or reads what was compiled
    began = time.process_time()
    for film in films:
        render(*film, size)
    return Speed("fast rasteriser", size, "frames", cabinets * FRAMES, time.process_time() - began, "CPU")


def blender_renderer(size: int, samples: int = 16, frames: int = 4) -> Speed:
    """Frames of one cabinet by Blender, its start included."""
    asset, positions, camera = _film(0)
    before = _children()
    render_blender(asset, positions[:frames], [camera], size, cycles=Cycles(samples=samples))
    return Speed(f"Blender, {samples} samples", size, "frames", frames, _children() - before, "CPU")


def asset_to_shard(size: int, clips: int, workers: int, source: str) -> Iterator[Speed]:
    """Clips from asset to shard: from the first one finished to the last, as the workers' start counts once a run; then read."""
    with tempfile.TemporaryDirectory(prefix="puppetmaster-speed-") as folder:
        plan, folder = Plan(find_source(source, clips), Filming(size=size)), Path(folder)
        settle(folder, plan)
        stamps, used = [], 0.0
        for progress in make_shards(folder, plan, open_shards(folder, plan), workers=workers):
            used += progress.cpu_seconds if stamps else 0.0
            stamps += [time.perf_counter()] * progress.clips
        if len(stamps) < 2:
            raise RuntimeError(f"{len(stamps)} clips came of {clips} assets of {source}, at least 2 are wanted: ask for more")
        what, made = f"{source}, asset to shard", len(stamps) - 1
        yield Speed(f"{what}, {workers} workers", size, "clips", made, stamps[-1] - stamps[0], "wall")
        yield Speed(what, size, "clips", made, used, "CPU")
        store = ClipStore(folder)
        began, frames = time.process_time(), sum(len(clip.frames) for clip in store)
        yield Speed("reading shards", size, "frames", frames, time.process_time() - began, "CPU")


def as_text(speeds: list[Speed]) -> str:
    """The speeds as a table."""
    lines = [f"{'':42} {'pixels':>6} {'a second':>9}"]
    lines += [f"{s.what:42} {s.size:6} {s.rate:9.1f} {s.unit} ({s.clock} time, {s.count} in {s.seconds:.2f} s)" for s in speeds]
    return "\n".join(lines)


def _film(seed: int):
    """A cabinet, its vertices in 14 frames, and a view."""
    asset = asset_source().make_asset("cabinet", seed)
    positions = np.stack([asset.vertices(0, t) for t in asset.sample_times(0, FRAMES)])
    return asset, positions, drag_a_move_camera(np.random.default_rng(seed), positions)


def _children() -> float:
    """CPU seconds of the processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

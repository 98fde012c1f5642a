"""What Blender and the rasteriser are compared on. `python tests/blender_cases.py` makes the fixture anew, with Blender."""

from functools import cache
from pathlib import Path

import numpy as np
from toys import still_life

from procedural_library import make_asset
from puppetmaster_core.render import Camera, Cycles, Lights, Sun, drag_a_move_camera
from puppetmaster_core.render.blender import run_job

FIXTURE = Path(__file__).parent / "fixtures" / "blender_passes.npz"
SIZE = 64
LIGHTS = Lights((Sun((0.35, 0.8, 0.5), 2.0), Sun((-0.6, 0.2, 0.5), 1.0)), ambient=0.15, physical=True)
# As the rasteriser lights: no shadows, no bounces. The samples only soften edges.
CYCLES = Cycles(samples=16, bounces=0, shadows=False)


def cabinet(seed: int):
    asset = make_asset("cabinet", seed)
    positions = np.stack([asset.vertices(0, t) for t in asset.sample_times(0, 2)])
    return asset, positions, drag_a_move_camera(np.random.default_rng(seed), positions)


def _still_life():
    asset = still_life()
    return asset, asset.path, Camera(20.0, 25.0, 2.2)


# Name: a function that returns an asset, positions (N, V, 3) and a camera.
CASES = {"still life": _still_life, "cabinet 3": lambda: cabinet(3), "cabinet 11": lambda: cabinet(11)}


@cache
def draw(case: str) -> dict[str, np.ndarray]:
    """Blender's passes of a case, (N, H, W, …)."""
    asset, positions, camera = CASES[case]()
    return {name: array[0] for name, array in run_job(asset, positions, [camera], SIZE, lights=LIGHTS, cycles=CYCLES).items()}


if __name__ == "__main__":
    stored = {f"{case}/{name}": array for case in CASES for name, array in draw(case).items()
              if name in ("frames", "alpha", "part_ids", "depth")}
    np.savez_compressed(FIXTURE, **{n: a.astype(np.int8) if n.endswith("part_ids") else a for n, a in stored.items()})
    print(f"{FIXTURE}: {FIXTURE.stat().st_size / 1e3:.0f} kB")

"""What Blender and the rasteriser are compared on."""

from functools import cache
from pathlib import Path

import numpy as np
from toys import baked, quad, still_life

from procedural_library import make_asset
from puppetmaster_core.assets import Material
from puppetmaster_core.render import Camera, Cycles, Lights, Sun, drag_a_move_camera, render_blender

# What Blender 4.5 drew of CASES, once: colours, alpha, sub-models and depth. Its own ids and depth are not asked for any more.
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


def _looks():
    """What exporters write: clamped and mirrored textures, vertex colours, what shines, what is unlit or has one side."""
    squares = [quad((x - 0.28, y - 0.28), (x + 0.28, y + 0.28), 0.0) for y in (0.3, -0.3) for x in (-0.6, 0.0, 0.6)]
    vertices = np.concatenate([own for own, _, _ in squares])
    faces = np.concatenate([own + 4 * i for i, (_, own, _) in enumerate(squares)])
    faces[10:] = faces[10:, ::-1]  # the last one shows its back
    uv = np.concatenate([3 * own - 1 for _, _, own in squares])
    picture = np.array([[[250, 60, 60], [60, 250, 60]], [[60, 60, 250], [250, 250, 60]]], np.uint8)
    materials = [Material((1, 1, 1), picture, wrap=("clamp", "mirror")),
                 Material((1, 1, 1), picture, wrap=("mirror", "clamp"), filtering="linear"), Material((0.9, 0.8, 0.7)),
                 Material((0, 0, 0), emission=(0.8, 0.5, 0.3), emission_texture=picture, emission_wrap=("repeat", "clamp")),
                 Material((1.0, 0.5, 0.2), unlit=True), Material((0.2, 0.9, 0.9), double_sided=False)]
    kinds, colors = np.repeat(np.arange(6), 2), np.ones((12, 3, 4), np.float32)
    colors[4:6, :, 0] = uv[4:6, :, 0] / 3 + 1 / 3
    path = vertices + np.array([[[0, 0, 0]], [[0.05, 0, 0]]])
    asset = baked(path, faces, uv=uv, material=kinds, submodel=kinds, materials=materials)
    asset.colors = colors
    return asset, asset.path, Camera(15.0, 10.0, 2.6)


# Name: a function that returns an asset, positions (N, V, 3) and a camera.
CASES = {"still life": _still_life, "cabinet 3": lambda: cabinet(3), "cabinet 11": lambda: cabinet(11)}
UNKEPT = {"looks": _looks}  # drawn anew only


@cache
def draw(case: str):
    """Blender's Rendering of a case."""
    asset, positions, camera = (CASES | UNKEPT)[case]()
    return render_blender(asset, positions, camera, SIZE, lights=LIGHTS, cycles=CYCLES)

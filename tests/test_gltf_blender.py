"""Blender's importer as a second judge of glTF animation, where `make blender` has been run."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from puppetmaster_core.assets import load_asset
from puppetmaster_core.render import blender_python

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "data" / "animated_assets"
JOB = Path(__file__).with_name("blender_vertices.py")
FILES = ("d_kk_chest", "clip_khronos_fox_run", "clip_kaykit_knight_walking_a", "clip_kenney_walk", "khronos_animated_morph_cube",
         "clip_greenman_2_move", "khronos_animated_morph_sphere")

pytestmark = [pytest.mark.skipif(blender_python() is None, reason="bpy is not installed: make blender"),
              pytest.mark.skipif(not ASSETS.is_dir(), reason="the shared assets are not here")]


def key_times(asset) -> list[float]:
    """14 of the times at which the first clip has keys: between them Blender goes another way (nlerp) than the standard."""
    animation = asset.animations[0]
    keys = np.unique(np.concatenate([tracks.times for tracks in [*animation.moves.values(), *animation.weights]]))
    return keys[np.linspace(0, len(keys) - 1, 14).round().astype(int)].tolist()


def test_vertices_are_where_blender_puts_them(tmp_path):
    # As point sets, both ways: the importer keeps an order of its own. At keys the two agree to Blender's 32-bit numbers, 6e-7 of
    # the diagonal; between the fox's keys, which are far apart, Blender's way is off by 2.5e-3.
    assets = {name: load_asset(ASSETS / f"{name}.glb") for name in FILES}
    times = {name: key_times(asset) for name, asset in assets.items()}
    (tmp_path / "times.json").write_text(json.dumps({str(ASSETS / f"{name}.glb"): t for name, t in times.items()}))
    command = [blender_python(), JOB, tmp_path / "out.npz", tmp_path / "times.json"]
    job = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert job.returncode == 0, job.stderr
    with np.load(tmp_path / "out.npz") as found:
        theirs = [np.concatenate([found[key] for key in found.files if key.startswith(f"{n}/")], 1) for n in range(len(FILES))]
    for (name, asset), points in zip(assets.items(), theirs, strict=True):
        ours = np.stack([asset.vertices(0, t)[np.unique(asset.faces)] for t in times[name]])
        diagonal = np.linalg.norm(np.ptp(ours[0], axis=0))
        assert np.abs(ours - ours[0]).max() > 0.02 * diagonal, name  # it does move
        for a, b in zip(ours, points, strict=True):
            assert max(cKDTree(a).query(b)[0].max(), cKDTree(b).query(a)[0].max()) < 1e-5 * diagonal, name

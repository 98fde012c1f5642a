"""Our reading of animated glTF files against Blender's own importer, where bpy and the shared assets are.

The importer turns by nlerp between keys, so files with widely spaced turns differ a little; measured at most 1e-5 of the
diagonal in these. Files with cubic tangents or several clips need what REFERENCE §3 says first, so none is here.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from puppetmaster_core.assets import load_asset
from puppetmaster_core.render import blender_python

ASSETS = Path(__file__).parents[2] / "shared" / "data" / "animated_assets"
FILES = ("clip_kenney_walk", "clip_greenman_2_move", "clip_kaykit_knight_walking_a", "d_kk_chest",
         "khronos_animated_morph_sphere")

pytestmark = [pytest.mark.skipif(blender_python() is None, reason="bpy is not installed: make blender"),
              pytest.mark.skipif(not ASSETS.is_dir(), reason="the shared assets are not here")]


@pytest.mark.parametrize("name", FILES)
def test_vertices_are_where_blender_puts_them(name, tmp_path):
    """As point sets, both ways: the importer keeps an order of its own."""
    path, out = ASSETS / f"{name}.glb", tmp_path / "points.npz"
    asset = load_asset(path)
    times = np.linspace(0, asset.clips[0].duration, 5)
    command = [blender_python(), Path(__file__).with_name("blender_import.py"), path, out, *map(str, times)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with np.load(out, allow_pickle=False) as stored:
        theirs = stored["points"]
    ours = np.stack([asset.vertices(0, t)[np.unique(asset.faces)] for t in times])
    diagonal = np.linalg.norm(np.ptp(ours[0], axis=0))
    assert np.abs(ours - ours[0]).max() > 0.02 * diagonal  # it does move
    for a, b in zip(ours, theirs, strict=True):
        assert max(cKDTree(a).query(b)[0].max(), cKDTree(b).query(a)[0].max()) < 1e-4 * diagonal

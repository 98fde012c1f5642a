"""The library's files in other people's readers: pygfx, and Blender's own importer where `make blender` put it."""

import subprocess

import numpy as np
import pytest

from procedural_library import make_asset
from procedural_library.folder import glb_bytes
from puppetmaster_core.render import blender_python

KINDS = ("laptop", "bucket", "human", "fish", "flag", "curtain", "flower", "scaling", "explode")

# Blender's z is up. It works in float32, too.
IMPORT = """
import sys, bpy, numpy as np
for path in sys.argv[1:]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=path, disable_bone_shape=True)
    scene, found = bpy.context.scene, []
    for t in np.load(path + ".npy"):
        frame = t * scene.render.fps
        scene.frame_set(int(frame), subframe=frame - int(frame))
        graph, places = bpy.context.evaluated_depsgraph_get(), []
        for thing in scene.objects:
            if thing.type == "MESH":
                own = thing.evaluated_get(graph)
                mesh = own.to_mesh()
                flat = np.empty(len(mesh.vertices) * 3, np.float32)
                mesh.vertices.foreach_get("co", flat)
                matrix = np.array(own.matrix_world)
                places.append(flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
        found.append(np.concatenate(places)[:, [0, 2, 1]] * (1, 1, -1))
    np.save(path + ".out.npy", np.stack(found))
"""


@pytest.fixture
def files(tmp_path):
    """A file of every kind, and beside it the times (3,) at which it is to be looked at."""
    for kind in KINDS:
        (tmp_path / f"{kind}.glb").write_bytes(glb_bytes(kind, 5))
        asset = make_asset(kind, 5)
        np.save(tmp_path / f"{kind}.glb.npy", asset.clips[0].duration * np.array([0.0, 0.31, 1.0]))
    return tmp_path


def test_pygfx_moves_the_files_as_we_do(files):
    pytest.importorskip("pygfx", reason="pygfx is an extra of the tests")
    from pygfx_oracle import Oracle

    for kind in KINDS:
        asset, oracle = make_asset(kind, 5), Oracle(files / f"{kind}.glb")
        for t in np.load(files / f"{kind}.glb.npy"):
            # Objects are 1 long, and 1e-4 of that is what the reader of files is held to (pygfx turns by another
            # formula between near keys: up to 6e-6 here, on parts that fly and spin).
            np.testing.assert_allclose(oracle.vertices(0, t), asset.vertices(0, t), atol=1e-4, err_msg=f"{kind} at {t:.2f} s")


@pytest.mark.skipif(blender_python() is None, reason="Blender is not installed: make blender")
def test_blenders_importer_moves_the_files_as_we_do(files):
    script = files / "import.py"
    script.write_text(IMPORT)
    paths = [str(files / f"{kind}.glb") for kind in KINDS]
    subprocess.run([blender_python(), script, *paths], check=True, capture_output=True, timeout=240)
    for kind in KINDS:
        asset, found = make_asset(kind, 5), np.load(files / f"{kind}.glb.out.npy")
        for t, theirs in zip(np.load(files / f"{kind}.glb.npy"), found, strict=True):
            mine = asset.vertices(0, t)
            assert theirs.shape == mine.shape
            # Blender orders the parts as it likes: every vertex of ours must be near one of theirs.
            far = max(np.linalg.norm(theirs - place, axis=1).min() for place in mine[::5])
            assert far < 1e-5, f"{kind} at {t:.2f} s is off by {far:.1e}"

"""Clips of Drag-a-Move: their drags are read, and whatever is damaged is one DragError."""

import random
from pathlib import Path

import numpy as np
import pytest

from puppetmaster_core.drag_a_move import read_released
from puppetmaster_core.drags import DragError

DRAG_A_MOVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "drag_a_move"


@pytest.fixture
def array():
    """Two drags in five places, (N, K, 4)."""
    array = np.zeros((14, 5, 4), np.float32)
    array[:, 0] = np.linspace((0.2, 0.3, 0.2, 0.3), (0.2, 0.3, 0.8, 1.1), 14)
    array[:, 3] = np.linspace((0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.9), 14)
    return array


def test_drags_are_read_and_empty_places_left_out(array, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", drags=array, latents=np.zeros(3))
    drags = read_released(tmp_path / "a.npz")
    assert drags.points.shape == (2, 14, 2)
    assert np.allclose(drags.points[:, [0, -1]], [[[0.2, 0.3], [0.8, 1.1]], [[0.5, 0.5], [0.5, 0.9]]])


@pytest.mark.skipif(not DRAG_A_MOVE.exists(), reason="the Drag-a-Move clips are not there")
def test_every_published_clip_is_read():
    counts = {len(read_released(path)) for path in DRAG_A_MOVE.glob("*.npz")}
    assert counts and counts <= {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a: a * 0, "got no drags"),
        (lambda a: a[0], r"got 'drags' as float32 \(5, 4\), expected a Drag-a-Move clip"),
        (lambda a: a.astype(object), "cannot be read"),
        (lambda a: a * np.arange(14)[:, None, None].clip(0, 1), "drag 1 is absent from some frames"),
        (lambda a: a.astype(float) * 1e300, "expected finite numbers"),
        (lambda a: a[:1], "expected at least 2"),
    ],
)
def test_other_arrays_are_refused(array, tmp_path, change, message):
    np.savez(tmp_path / "a.npz", drags=change(array))
    with pytest.raises(DragError, match=message):
        read_released(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_files_are_drag_errors_or_drags(array, tmp_path, save):
    """zlib.error, BadZipFile, EOFError, NotImplementedError, RuntimeError and more come out of NumPy and zipfile."""
    path, rng, refused = tmp_path / "a.npz", random.Random(0), 0
    save(path, drags=array)
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.2 else whole)
        for _ in range(min(rng.choice((1, 1, 4)), len(damaged))):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 255, rng.randrange(256)))
        path.write_bytes(damaged)
        try:
            read_released(path)
        except DragError as error:
            refused += 1
            assert "\n" not in str(error) and "expected" in str(error)
    assert refused > 200

"""Clips: exact tracks, visibility, the drags sampled from them, and the record on disk."""

from dataclasses import replace

import numpy as np
import pytest
from toys import baked, cabinet

from procedural_library import make_asset
from puppetmaster_core.assets import Material
from puppetmaster_core.clips import SurfacePoints, sample_drags
from puppetmaster_core.clips.drag_sampling import DRAG_A_MOVE, straightened
from puppetmaster_core.clips.sources import TEST_SEEDS
from puppetmaster_core.render import Camera, drag_a_move_camera, render, visible


@pytest.fixture(scope="module")
def clip():
    return cabinet(TEST_SEEDS)


@pytest.mark.parametrize("hole", [False, True])
def test_a_thin_door_hides_what_is_behind_it(hole):
    """A point 3 mm behind a pane of 1 m, seen from 3 m away, is hidden; one 3 mm before it, beside it or in a hole is not."""
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0.0]])
    glass = Material((1, 1, 1), alpha=0.2, alpha_mode="mask") if hole else Material((1, 1, 1))
    pane = baked(corners[None], [[0, 1, 2], [0, 2, 3]], materials=[glass])
    points = np.array([[[0.1, 0.2, -0.003], [0.1, 0.2, 0.003], [0.7, 0.2, -0.003], [9.0, 0.0, 0.0], [0.0, 0.0, 4.0]]])
    seen = visible(pane, corners[None], Camera(0, 0, 3.0), points)[0]
    assert seen.tolist() == [hole, True, True, False, False]  # the last two are beside the picture and behind the camera


def test_visibility_is_that_of_rays_to_the_camera():
    """Against every triangle, one ray a point (Möller and Trumbore): exact however coarse the pictures are."""
    for asset in (make_asset("cabinet", 5), make_asset("box", 2)):
        positions = np.stack([asset.vertices(0, t) for t in asset.sample_times(0, 5)])
        camera = drag_a_move_camera(np.random.default_rng(1), positions)
        surface = SurfacePoints.visible(render(asset, positions, camera, 16))
        points = surface.positions(asset, positions)
        free = np.array([[ray_is_free(p, camera.position, vertices[asset.faces]) for p in frame]
                         for frame, vertices in zip(points, positions, strict=True)])
        assert not free.all()
        np.testing.assert_array_equal(visible(asset, positions, camera, points), free)


def ray_is_free(point, eye, triangles):
    """Whether no triangle (F, 3, 3) lies between a point (3,) and the eye (3,)."""
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    way, start = point - eye, eye - triangles[:, 0]
    turned = np.cross(way, second)
    volume = (first * turned).sum(1)
    with np.errstate(all="ignore"):
        u = (start * turned).sum(1) / volume
        other = np.cross(start, first)
        v, far = other @ way / volume, (second * other).sum(1) / volume
    return not ((u >= 0) & (v >= 0) & (u + v <= 1) & (far > 0) & (far < 1 - 2e-4)).any()


def test_other_drags_of_a_clip_follow_its_rules(clip):
    """One a moving part, where its exact displacement takes it, straight where asked; without displacement, the clip's own."""
    moving = np.unique(clip.part_ids[0][tuple((clip.drags[:, 0, ::-1] * 64).astype(int).T)])
    for seed in range(5):
        drags = sample_drags(clip, np.random.default_rng(seed))
        columns, rows = (drags.points[:, 0] * 64).astype(int).T
        np.testing.assert_array_equal(np.sort(clip.field_parts[rows, columns]), moving)
        straight = sample_drags(clip, np.random.default_rng(seed), DRAG_A_MOVE).points
        np.testing.assert_allclose(straight, straightened(straight), atol=1e-6)
    bare = replace(clip, displacement=np.zeros((0, 0, 0, 2), np.float16))
    np.testing.assert_array_equal(sample_drags(bare, np.random.default_rng(0)).points, clip.drags)
    assert sample_drags(replace(bare, drags=clip.drags[:0]), np.random.default_rng(0)) is None

"""Clips: exact tracks, visibility, the drags sampled from them, and the record on disk."""

import numpy as np
import pytest
from toys import baked

from procedural_library import make_asset
from puppetmaster_core.assets import Material
from puppetmaster_core.clips import Clip, SurfacePoints, sample_drags
from puppetmaster_core.clips.cabinets import TEST_SEEDS, cabinet_clip, render_cabinets
from puppetmaster_core.clips.sampling import sample_points, straightened
from puppetmaster_core.evaluation.travel import joint_travel
from puppetmaster_core.render import Camera, drag_a_move_camera, render, visible


@pytest.fixture(scope="module")
def clip():
    return cabinet_clip(TEST_SEEDS, 64)


def test_tracks_start_where_the_part_is_seen(clip):
    cell = np.floor(clip.tracks[:, 0] * 64).astype(int)
    np.testing.assert_array_equal(clip.part_ids[0, cell[:, 1], cell[:, 0]], clip.track_parts)
    assert clip.visibility[:, 0].all()


def test_a_point_behind_the_cabinet_is_not_visible():
    asset = make_asset("cabinet", 0)
    positions = np.stack([asset.vertices(0, 0.0)] * 2)
    camera = Camera(azimuth=0, elevation=10, distance=3.0)
    front = SurfacePoints.visible(render(asset, positions, camera, 64)).positions(asset, positions)
    behind = camera.position + 1.3 * (front - camera.position)  # on the same rays, farther away
    assert visible(asset, positions, camera, front).all()
    assert not visible(asset, positions, camera, behind).any()


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


def test_points_are_drawn_in_proportion_to_their_displacement():
    # Three points of one part travel 0, 1 and 3 metres, so they are drawn 0, 1/4 and 3/4 of the time.
    steps = np.linspace(0, 1, 5)[:, None, None]
    points = steps * np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    tracks = points[..., :2].transpose(1, 0, 2)
    drawn = sample_points(points, tracks, np.zeros(3, int), np.random.default_rng(0), 20_000)[0]
    share = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(share, [0, 0.25, 0.75], atol=0.015)


def test_a_still_part_gets_no_drag():
    points = np.zeros((5, 2, 3))
    assert sample_points(points, points[..., :2].transpose(1, 0, 2), np.array([0, 1]), np.random.default_rng(0)) == {}


def test_one_drag_a_moving_part(clip):
    drags = sample_drags(clip, np.random.default_rng(0))
    assert len(drags) == len(np.unique(clip.track_parts)) and drags.frames == 14
    known = {path.tobytes() for path in clip.tracks}
    assert all(path.tobytes() in known for path in drags.points)


def test_straight_drags_keep_their_ends_and_an_even_pace():
    path = np.array([[[0.0, 0.0], [0.1, 0.4], [0.6, 0.2]]], np.float32)
    np.testing.assert_allclose(straightened(path), [[[0, 0], [0.3, 0.1], [0.6, 0.2]]], atol=1e-7)


def test_a_clip_comes_back_from_disk(clip, tmp_path):
    clip.save(tmp_path / "clip.npz")
    again = Clip.load(tmp_path / "clip.npz")
    np.testing.assert_array_equal(again.frames, clip.frames)
    np.testing.assert_array_equal(again.tracks, clip.tracks)
    assert (again.camera, again.category, again.provenance) == (clip.camera, clip.category, clip.provenance)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


def test_a_seed_is_a_clip_whatever_the_folder(tmp_path):
    paths = render_cabinets(tmp_path, 3, 32, frames=4, workers=1)
    made = paths[0].stat().st_mtime_ns
    with np.load(paths[0], allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["frames"][2], cabinet_clip(2, 32, 4).frames)
    assert render_cabinets(tmp_path, 3, 32, frames=4, workers=1)[0].stat().st_mtime_ns == made  # kept, not drawn again


@pytest.mark.parametrize("progress, expected", [(1.0, 1.0), (0.0, 0.0), (-0.5, -0.5), (0.5, 0.5)])
def test_joint_travel_finds_where_a_part_is(progress, expected):
    """Drawn at a known travel, the part's travel is found again: the measure behind 'right direction'."""
    for seed in (TEST_SEEDS + 1, TEST_SEEDS + 4):
        clip, asset = cabinet_clip(seed, 64), make_asset("cabinet", seed)
        camera, part = Camera(**clip.camera), int(clip.track_parts[0])
        pose = np.ones(len(asset.joints))
        pose[part] = progress
        frame = render(asset, asset.pose(pose)[None], camera, 64).frames[0]
        assert joint_travel(frame, asset, camera, part) == pytest.approx(expected, abs=0.01)

"""Drag sampling, §4 and the released code's rules (as settings): one test a rule, each number worked out by hand beside it."""

from dataclasses import replace

import numpy as np
import pytest

from procedural_library import make_asset
from puppetmaster_core.clips.drag_sampling import DRAG_A_MOVE, PAPER, RELEASED, VisiblePoints, distinct, draw_drags, long_enough
from puppetmaster_core.clips.labels import label
from puppetmaster_core.render import Camera, render


def rng(seed=0):
    return np.random.default_rng(seed)


def moving(ways, parts, *, frames=2, later=0, submodels=2, size=256):
    """Points that travel straight along x, `ways` of the picture's width (and of the object's largest side) a frame."""
    steps = np.arange(frames + later)[:, None] * np.asarray(ways, float)  # (M, P)
    places = np.linspace(0, 0.9, len(ways))  # each on a line of its own, so that no two are near
    world = np.stack([steps, np.broadcast_to(places, steps.shape), np.zeros_like(steps)], -1)
    return VisiblePoints(world, world[:frames, :, :2].transpose(1, 0, 2).astype(np.float32), np.asarray(parts), size, submodels)


def drawn(points, rules, times=4000):
    """How often each point is drawn, a share of `times`."""
    generator, count = rng(), np.zeros(len(points.part))
    for _ in range(times):
        np.add.at(count, draw_drags(points, generator, rules), 1)
    return count / times


# ---- how many ----------------------------------------------------------------------------------------------------------


def test_one_drag_a_submodel_that_moves():
    points = moving([0.1, 0.2, 0.3, 0.1, 0.0], [0, 0, 1, 2, 3])  # sub-model 3 stands still
    for seed in range(20):
        assert points.part[draw_drags(points, rng(seed))].tolist() == [0, 1, 2]


def test_a_random_number_without_submodels():
    """One sub-model: 1 to K_max = 5 drags, each number as often."""
    points = moving([0.1] * 8, [0] * 8, submodels=1)
    generator = rng()
    counts = np.bincount([len(draw_drags(points, generator)) for _ in range(2000)], minlength=6)
    np.testing.assert_allclose(counts / 2000, [0, 0.2, 0.2, 0.2, 0.2, 0.2], atol=0.035)


def test_no_more_than_k_max_and_each_part_as_likely():
    points = moving([0.1] * 10, range(10))
    assert len(draw_drags(points, rng())) == 5
    np.testing.assert_allclose(drawn(points, replace(PAPER, max_drags=2), 3000), 0.2, atol=0.03)


def test_released_draws_by_area():
    """15,000 px at 512 are 15000 // 5000 = 3: one, two or three drags. Seen at 256 the same part covers 15000 / 4 px."""
    points = moving(np.full(3750, 0.2), np.zeros(3750, int), size=256)
    rules = replace(RELEASED, thin=False, threshold=-1)  # keep whatever is drawn
    counts = np.bincount([len(draw_drags(points, rng(seed), rules)) for seed in range(900)], minlength=4)
    np.testing.assert_allclose(counts / 900, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.06)


def test_released_skips_small_and_slow_parts():
    """At 512 px, 100 px are wanted and more than 0.1 of the object's size: part 0 has 99 px, part 1 goes 0.1, part 2 both."""
    ways = np.concatenate([np.full(99, 0.5), np.full(100, 0.1), np.full(100, 0.11)])
    points = moving(ways, np.repeat([0, 1, 2], [99, 100, 100]), size=512)
    assert {int(points.part[i]) for seed in range(20) for i in draw_drags(points, rng(seed), RELEASED)} == {2}


def test_a_part_that_hardly_moves_in_the_picture_gets_no_drag():
    """0.019 of the picture's width is below our 0.02, though its way in the world counts."""
    assert draw_drags(moving([0.019, 0.021], [0, 1]), rng()).tolist() == [1]


def test_nothing_that_moves_is_no_drag():
    assert draw_drags(moving([0.0, 0.0], [0, 1]), rng()).shape == (0,)
    assert draw_drags(moving([], []), rng(), RELEASED).shape == (0,)


# ---- where -------------------------------------------------------------------------------------------------------------


def test_points_in_proportion_to_their_displacement():
    """Ways of 0, 0.1 and 0.3 in one part: 0, 1/4 and 3/4 of the draws."""
    np.testing.assert_allclose(drawn(moving([0.0, 0.1, 0.3], [0, 0, 0]), PAPER), [0, 0.25, 0.75], atol=0.03)


def test_displacement_is_the_way_there_and_back():
    """Out by 0.3 and back in three frames is 0.6 of way, against 0.2 straight on: 3/4 and 1/4."""
    x = np.array([[0.0, 0.0], [0.3, 0.1], [0.0, 0.2]])
    world = np.stack([x, np.broadcast_to([0.1, 0.8], x.shape), 0 * x], -1)
    points = VisiblePoints(world, world[..., :2].transpose(1, 0, 2).astype(np.float32), np.zeros(2, int), 256, 2)
    np.testing.assert_allclose(drawn(points, PAPER), [0.75, 0.25], atol=0.03)


def test_released_weighs_the_way_to_the_end_of_the_animation():
    """In the 2 frames of the clip both go 0.2; in the 3 frames after, one goes 0.6 more, the other stands: 4/5 and 1/5."""
    points = moving([0.2, 0.2], [0, 0], later=3)
    points.world[2:, 1] = points.world[1, 1]
    np.testing.assert_allclose(drawn(points, PAPER), [0.5, 0.5], atol=0.03)
    np.testing.assert_allclose(drawn(points, replace(PAPER, weight="animation")), [0.8, 0.2], atol=0.03)


# ---- which stay --------------------------------------------------------------------------------------------------------


def beside(gap, pixels, frames=14):
    """Two paths, `gap` pixels apart in every frame."""
    path = np.zeros((frames, 2))
    path[:, 0] = np.linspace(0.2, 0.6, frames)
    return np.stack([path, path + np.array([0, gap / pixels])])


def test_released_near_duplicates_sum_distances_at_512_and_the_later_goes():
    """Distances sum to N · gap: 19.9 px at 512 is near, 20.1 px is not, and always the second goes."""
    for seed in range(10):
        assert distinct(beside(19.9, 512), rng(seed), RELEASED).tolist() == [True, False]
    assert distinct(beside(20.1, 512), rng(), RELEASED).all()


def test_a_drag_that_went_takes_no_other_with_it():
    """0–1 and 1–2 are 15 px apart, 0–2 are 30: released, 0 removes 1, and 1 no longer removes 2."""
    path = beside(15, 512)[0]
    paths = np.stack([path + np.array([0, k * 15 / 512]) for k in range(3)])
    assert distinct(paths, rng(), RELEASED).tolist() == [True, False, True]


def test_released_thins_short_drags():
    """Lengths 1 : 1/2 : 1/4 : 0 of the longest stay with probability 1, 1, 1/2, 0; the paper keeps all."""
    paths = np.zeros((4, 14, 2))
    paths[:, :, 0] = np.array([0.8, 0.4, 0.2, 0.0])[:, None] * np.linspace(0, 1, 14)
    generator = rng()
    stays = np.mean([long_enough(paths, generator, RELEASED) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(stays, [1, 1, 0.5, 0], atol=0.035)
    assert long_enough(paths, generator, PAPER).all()


# ---- on a clip ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened():
    asset = make_asset("cabinet", 3)
    positions = np.stack([asset.vertices(0, t) for t in asset.sample_times(0, 6)])
    camera = Camera(azimuth=20, elevation=25, distance=2.6, target=(0, 0, 0))
    return asset, positions, camera, render(asset, positions, camera, 64)


def test_drags_of_a_clip_are_exact_projections(opened):
    """A drag starts at the centre of a pixel that shows its part, and is where the asset's own joint takes that point."""
    asset, positions, camera, drawn_ = opened
    clip = label(asset, positions, camera, drawn_, rng(1))
    assert clip.drags.shape == (len(asset.moving), 6, 2) and clip.drag_visibility.shape == clip.drags.shape[:2]
    assert clip.drag_visibility[:, 0].all()
    x, y = np.floor(clip.drags[0, 0] * 64).astype(int)
    np.testing.assert_allclose(clip.drags[0, 0] * 64, (x + 0.5, y + 0.5), atol=1e-4)
    face, weight = drawn_.face[0, y, x], drawn_.barycentric[0, y, x]
    part = asset.submodel[face]
    joint = asset.joints[part]
    rest = weight @ asset.rest[asset.faces[face]]
    for n, t in enumerate(asset.sample_times(0, 6)):
        q = joint.start + asset.progress(0, t) * (joint.end - joint.start)
        expected = camera.project(joint.apply(rest[None], q))[0, :2]
        np.testing.assert_allclose(clip.drags[0, n], expected, atol=1e-5)


def test_what_comes_back_gets_no_straight_drag():
    """Way there and back in five frames: 0.2 each way for point 0, 0.2 and 0.1 for point 1, which so ends 0.1 away; point 2 goes
    0.1 and 0.2 the other way. A straight drag is of point 1 or 2, as often; one along the whole way prefers the first."""
    x = np.array([[0, 0.1, 0.2, 0.1, 0], [0, 0.1, 0.2, 0.15, 0.1], [0, 0.05, 0.1, 0.0, -0.1]])
    world = np.zeros((5, 3, 3))
    world[:, :, 0], world[:, :, 1] = x.T, np.arange(3) / 4
    points = VisiblePoints(world, world[..., :2].transpose(1, 0, 2).astype(np.float32), np.zeros(3, int), 256)
    np.testing.assert_allclose(drawn(points, DRAG_A_MOVE), [0, 0.5, 0.5], atol=0.03)
    np.testing.assert_allclose(drawn(points, PAPER), [0.4, 0.3, 0.3], atol=0.03)
    alone = replace(points, world=world[:, :1], tracks=points.tracks[:1], part=np.zeros(1, int))
    assert len(draw_drags(alone, rng(), PAPER)) == 1 and not len(draw_drags(alone, rng(), DRAG_A_MOVE))

"""Motion metrics: cases worked by hand, and what must not matter: units, the number of vertices, the time an animation takes."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from procedural_library import make_asset
from puppetmaster_core import motion_metrics
from puppetmaster_core.assets import AnimatedAsset, AnimationClip, Material
from puppetmaster_core.curation.metrics import METRICS

CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
SIDES = np.array([(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4),
                  (1, 5, 7), (1, 7, 3)])


@dataclass
class Moved(AnimatedAsset):
    """A mesh under a motion: places(vertices, share of the animation)."""

    rest: np.ndarray = None
    motion: object = field(default=None)

    def vertices(self, clip, t):
        self.clip_index(clip)
        return self.motion(self.rest, t / self.clips[0].duration)


def moved(motion, rest=CORNERS, faces=SIDES, seconds=2.0):
    count = len(faces)
    return Moved(np.asarray(faces, np.int32), np.zeros((count, 3, 2), np.float32), np.zeros(count, np.int32),
                 np.zeros(count, np.int32), [Material((1, 1, 1))], ["all"], [AnimationClip("move", seconds)],
                 rest=rest, motion=motion)


def turned(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([(c, 0, s), (0, 1, 0), (-s, 0, c)])


def test_a_cube_that_glides_by_hand():
    """A unit cube goes 2 along x: its clip's box is 3 wide, its centre moved by 1; the mean of 1/32 … 32/32 of 2 is 1.03125."""
    m = motion_metrics(moved(lambda v, s: v + np.array((2 * s, 0, 0))))
    assert (m["clip_width"], m["clip_height"], m["clip_depth"]) == pytest.approx((3, 1, 1))
    assert (m["clip_x"], m["clip_y"], m["clip_z"]) == pytest.approx((1, 0, 0))
    assert m["largest_box"] == m["smallest_box"] == pytest.approx(1)
    assert m["max_displacement"] == pytest.approx(2) and m["mean_displacement"] == pytest.approx(2 * 33 / 64)
    assert m["speed"] == pytest.approx(1)  # sizes a second, over 2 seconds
    assert m["rigid_residual"] == pytest.approx(0, abs=1e-9) and m["moving_fraction"] == 1 and m["own_moving_fraction"] == 0
    assert m["jerk"] < 1e-9 and m["jump"] == pytest.approx(2 / 32 / 2**10)


def test_a_cube_that_grows_by_hand():
    """To twice its size about a corner: farthest corner goes √3; the median of sides 1 … 2 is 1.5, which is the unit."""
    m = motion_metrics(moved(lambda v, s: v * (1 + s)))
    assert m["max_displacement"] == pytest.approx(3**0.5 / 1.5) and m["largest_box"] == pytest.approx(2 / 1.5)
    assert m["growth"] == pytest.approx(2, rel=0.01)
    assert m["rigid_share"] > 0.3 and m["similarity_share"] < 1e-6


def test_what_is_left_of_each_kind_of_motion():
    """A spin leaves nothing beyond the rigid fit, a stretch nothing beyond the affine one, an opening half something of all."""
    spin = motion_metrics(moved(lambda v, s: (v - 0.5) @ turned(5 * s).T))
    stretch = motion_metrics(moved(lambda v, s: v * (1, 1 + s, 1)))
    # the four corners at y = 1 rise with their x squared: no affine map does that
    bend = motion_metrics(moved(lambda v, s: v + np.outer(v[:, 1] * v[:, 0] * v[:, 2] * s, (0, 1, 0))))
    assert spin["rigid_residual"] == pytest.approx(0, abs=1e-9) and spin["mean_displacement"] > 0.3
    assert stretch["similarity_share"] > 0.2 and stretch["affine_share"] < 1e-6
    assert bend["affine_share"] > 0.2


@pytest.mark.parametrize("kind", ["storage", "quadruped", "scaling"])
def test_units_do_not_matter(kind):
    """The same animation in millimetres and a kilometre away: the same metrics (to rounding, at a thousandth of a unit)."""
    asset = make_asset(kind, 3)
    plain = motion_metrics(asset)
    other = motion_metrics(moved(lambda v, s: 1000 * asset.vertices(0, s * asset.clips[0].duration) + (1e6, -1e6, 0),
                                 asset.rest, asset.faces, asset.clips[0].duration))
    for name in METRICS:
        assert other[name] == pytest.approx(plain[name], rel=1e-4, abs=1e-4), name


def finer(faces, times):
    """Each triangle in four, `times` times; the faces, and a function that adds the new vertices to the old."""
    pairs = []
    for _ in range(times):
        edges, of = np.unique(np.sort(faces[:, [(0, 1), (1, 2), (2, 0)]].reshape(-1, 2), 1), axis=0, return_inverse=True)
        count = faces.max() + 1
        middle = count + of.reshape(-1, 3)
        a, b, c = faces.T
        d, e, f = middle.T
        faces = np.concatenate([np.stack(t, 1) for t in ((a, d, f), (d, b, e), (f, e, c), (d, e, f))])
        pairs.append(edges)

    def refined(vertices):
        for edges in pairs:
            vertices = np.concatenate([vertices, vertices[edges].mean(1)])
        return vertices

    return faces, refined


@pytest.mark.parametrize("kind", ["laptop", "plush", "explode"])
def test_the_number_of_vertices_does_not_matter(kind):
    """Every triangle cut in 16, shuffled, and stray vertices far away that no triangle uses: means agree within 3 % of the
    object's size, extremes exactly."""
    asset = make_asset(kind, 1)
    used, faces = np.unique(asset.faces, return_inverse=True)
    faces, refined = finer(faces.reshape(-1, 3), 2)
    faces = np.random.default_rng(0).permutation(faces)

    def motion(_, s):
        return np.concatenate([refined(asset.vertices(0, s * asset.clips[0].duration)[used]), np.full((5, 3), 1e3)])

    plain, fine = motion_metrics(asset), motion_metrics(moved(motion, asset.rest, faces, asset.clips[0].duration))
    for name in ("clip_width", "clip_y", "largest_box", "max_displacement", "smallest_box"):
        assert fine[name] == pytest.approx(plain[name], rel=1e-6, abs=1e-9), name
    for name in ("mean_displacement", "rigid_residual", "rigid_share", "moving_fraction", "growth", "jerk"):
        assert fine[name] == pytest.approx(plain[name], rel=0.05, abs=0.03), name


def test_slower_is_the_same_but_for_speed():
    asset = make_asset("door", 0)
    quick = motion_metrics(asset)
    slow = motion_metrics(moved(lambda v, s: asset.vertices(0, s * asset.clips[0].duration), asset.rest, asset.faces,
                                10 * asset.clips[0].duration))
    for name in METRICS:
        if name not in ("speed", "jerk"):
            assert slow[name] == pytest.approx(quick[name], rel=1e-3, abs=1e-3), name
    assert slow["speed"] == pytest.approx(quick["speed"] / 10, rel=0.15)


def test_a_jump_stays_when_time_is_looked_at_closely():
    jump = motion_metrics(moved(lambda v, s: v + ((0.7, 0, 0) if s > 0.318 else (0, 0, 0))))
    rush = motion_metrics(moved(lambda v, s: v + np.array((0.7 * np.clip((s - 0.318) / 0.03, 0, 1), 0, 0))))
    assert jump["jump"] == pytest.approx(0.7) and rush["jump"] < 0.01


def test_bad_input_is_one_clear_error():
    with pytest.raises(ValueError, match="lasts 0 s"):
        motion_metrics(moved(lambda v, s: v, seconds=0.0))
    with pytest.raises(ValueError, match="without triangles"):
        motion_metrics(moved(lambda v, s: v, faces=np.zeros((0, 3), int)))
    with pytest.raises(ValueError, match="no numbers"):
        motion_metrics(moved(lambda v, s: v / 0 if s > 0.5 else v * np.nan))
    with pytest.raises(ValueError, match="got animation 'run', expected one of"):
        motion_metrics(moved(lambda v, s: v), "run")

"""The figures and exercises of the chapter on clips: colours that mean what the text says, and answers judged rightly."""

import numpy as np
import pytest

from lib import clip_figures, exercises
from procedural_library import make_asset
from puppetmaster_core.clips.rules import displacement


@pytest.fixture(scope="module")
def cabinet():
    """Cabinet 42, in which three doors move, with its vertices at 5 times (N, V, 3)."""
    asset = make_asset("cabinet", 42)
    return asset, np.stack([asset.vertices(0, t) for t in asset.sample_times(0, 5)])


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_way_of_a_part_is_that_of_its_farthest_vertex(cabinet):
    """A door that turns by θ takes its edge, w from the hinge, 2 w sin(θ / 2) away."""
    asset, positions = cabinet
    way = clip_figures.travelled(asset, positions)
    side = np.ptp(positions[0], axis=0).max()
    for part, joint in enumerate(asset.joints):
        if joint.moves:
            own = np.unique(asset.faces[asset.submodel == part])
            arm = asset.rest[own] - np.array(joint.origin)
            radius = np.linalg.norm(arm - (arm @ joint.axis)[:, None] * np.array(joint.axis), axis=1).max()
            chord = 2 * radius * np.sin(abs(joint.end - joint.start) / 2) / side
            assert way[part, -1] == pytest.approx(chord, rel=1e-6)
        else:
            assert not way[part].any()


# ---- exercises -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "said"), [
    (None, "not answered"), (4.0, "too little"), (20.0, "too much"), (280**0.5, "too much"), (20**0.5, "right"),
])
def test_gap_between_drags(gap, said):
    """Squared distance summed over N frames: N · gap² ≤ 20 N is near, so the gap is √20 = 4.47 px."""
    assert exercises.near_drags(gap).startswith(said)


def share(weight):
    return weight / weight.sum()


@pytest.mark.parametrize(("answer", "said"), [
    (None, "not answered"),
    (displacement, "not yet: the chances add up"),
    (lambda world: share(np.linalg.norm(world[-1] - world[0], axis=-1)), "not yet: point 2"),
    (lambda world: share((np.diff(world, axis=0) ** 2).sum((0, 2))), "not yet: wanted in proportion"),
    (lambda world: np.full(14, 1 / 14), "wrong shape"),
    (lambda world: np.full(6, np.nan), "wrong: a chance"),
    (lambda world: share(displacement(world)), "right"),
])
def test_chances_of_points(answer, said):
    assert exercises.point_chances(answer).startswith(said)

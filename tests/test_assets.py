"""Cabinets as articulated assets: what moves, and how far."""

import numpy as np
import pytest

from procedural_library import make_asset
from procedural_library.joints import Joint


def test_a_prismatic_joint_slides_along_its_axis():
    moved = Joint("prismatic", (0.0, 0.0, 1.0)).apply(np.array([[1.0, 2.0, 3.0]]), 0.5)
    np.testing.assert_allclose(moved, [[1, 2, 3.5]])


def test_a_revolute_joint_turns_about_its_hinge():
    # A quarter turn about +y takes +x to -z; the hinge at x = 1 stays where it is.
    joint = Joint("revolute", (0.0, 1.0, 0.0), origin=(1.0, 0.0, 0.0))
    moved = joint.apply(np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), np.pi / 2)
    np.testing.assert_allclose(moved, [[1, 0, 0], [1, 0, -1]], atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_a_cabinet_moves_only_its_moving_parts(seed):
    cabinet = make_asset("cabinet", seed)
    first, last = cabinet.vertices(0, 0.0), cabinet.vertices("move", cabinet.clips[0].duration)
    shift = np.linalg.norm(last - first, axis=1)
    moved = {int(s) for s in np.unique(cabinet.vertex_submodel[shift > 1e-9])}
    assert moved == set(cabinet.moving) and 1 <= len(moved) <= 3
    assert {cabinet.submodels[s] for s in moved} <= {"door", "drawer"}


def test_the_rest_pose_fits_the_unit_cube():
    for seed in range(5):
        rest = make_asset("cabinet", seed).rest
        assert np.ptp(rest, axis=0).max() == pytest.approx(1.0)
        np.testing.assert_allclose(rest.max(0) + rest.min(0), 0, atol=1e-9)


def test_doors_and_drawers_open_towards_the_viewer():
    # Fronts face +z: the further a joint is open, the further the part's foremost point is to the front.
    for seed in range(20):
        cabinet = make_asset("cabinet", seed)
        for part in cabinet.moving:
            own = cabinet.vertex_submodel == part
            front = [cabinet.joints[part].apply(cabinet.rest[own], q * 0.5)[:, 2].max() for q in (0.0, 0.5, 1.0)]
            assert front[0] < front[1] < front[2]

"""What the library is built from, against numbers worked by hand: shapes, turns, keys, skins, ease profiles."""

import numpy as np
import pytest

from procedural_library.bones import chain, limb
from procedural_library.joinery import HINGES
from procedural_library.mesh import ball, box, cylinder, joined, lathe, plate, ring, rotation, tube
from procedural_library.motion import Movable, drive
from procedural_library.rig import Rig
from procedural_library.roundness import normals, smooth_groups
from procedural_library.turns import turn
from puppetmaster_core.assets.asset import Material


def volume(mesh):
    """Σ a·(b × c) / 6 over triangles: what a closed surface holds, positive where triangles run anticlockwise outside."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return (a * np.cross(b, c)).sum() / 6


PRISM = 0.5 * 12 * np.sin(2 * np.pi / 12)  # area of the 12-gon in the unit circle


@pytest.mark.parametrize(("mesh", "expected"), [
    (box((0, 0, 0), (1, 2, 3)), 6.0),
    (box((1, 2, 3), (0, 0, 0)), 6.0),  # corners in either order
    (cylinder((5, 5, 5), 2.0, 3.0, sides=12), 4 * 3 * PRISM),
    (lathe([(0, 0), (1, 0), (0, 3)], sides=12), PRISM * 3 / 3),  # a cone
    (tube([(0, 0, 0), (0, 0, 2)], 0.5, sides=12, per_span=1, caps="flat"), 2 * 0.25 * PRISM),
    (tube([(0, 0, 0), (3, 0, 0)], [(0.5, 0.2)] * 2, sides=12, per_span=1, caps="flat"), 3 * 0.1 * PRISM),
    (plate([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)], 0.5), 0.5 * (16 - 6)),  # concave: a square less a triangle
    (box((0, 0, 0), (1, 1, 1)).mirrored(), 1.0),
    (joined(box((0, 0, 0), (1, 1, 1)), box((4, 0, 0), (5, 1, 1))), 2.0),
])
def test_closed_shapes_hold_what_they_should(mesh, expected):
    assert volume(mesh) == pytest.approx(expected, rel=1e-6)
    assert len(mesh.uv) == len(mesh.vertices) and mesh.faces.max() < len(mesh.vertices)


def test_round_shapes_come_near_their_volumes():
    assert volume(ball((1, 2, 3), (1.0, 2.0, 3.0), sides=40, rings=30)) == pytest.approx(4 / 3 * np.pi * 6, rel=0.02)
    assert volume(ring((0, 0, 0), 2.0, 0.5, (1, 1, 0), sides=30, steps=60)) == pytest.approx(2 * np.pi**2 * 2 * 0.25, rel=0.02)
    bent = tube([(0, 0, 0), (1, 0.5, 0), (2, 0, 0.5)], 0.2, sides=20, per_span=8)
    assert volume(bent) > np.pi * 0.04 * 2  # a tube of radius 0.2, over 2 long, with domes


def test_a_cylinder_is_round_with_sharp_rims():
    mesh = cylinder((0, 0, 0), 1.0, 2.0, sides=12)
    shaded = normals(mesh.vertices, mesh.faces, smooth_groups(mesh.vertices, mesh.faces))
    upright = np.abs(shaded[:, 1])
    assert ((upright < 1e-6) | (upright > 1 - 1e-6)).all()  # walls look out, ends look up or down, nothing between
    wall = upright < 1e-6
    out = mesh.vertices[wall] * (1, 0, 1)
    assert ((shaded[wall] * out).sum(1) > 0.99).all()  # across the texture's seam too


# ---- turns and keys ----------------------------------------------------------------------------------------------------


def test_weights_below_0_and_above_1_are_rewritten():
    # Two targets push a box along x and along y; the weights go from −2 to 2 and stay at 0.
    rig = Rig("shape")
    part, mesh = rig.part("part"), box((0, 0, 0), (1, 1, 1))
    push = np.stack([np.broadcast_to(way, (24, 3)) for way in ((0.1, 0, 0), (0, 0.1, 0))])
    rig.add(part, mesh, rig.material(Material((1, 1, 1))), morphs=push)
    rig.key(part, "weights", np.array([[-2.0, 0], [0, 0], [2, 0]]))
    asset = rig.finish("Test", {})
    [channel] = asset.channels
    assert channel.values.min() == 0 and channel.values.max() == 1 and asset.parts[0].morphs.shape == (2, 24, 3)
    for t, x in ((0.0, -0.2), (0.25, -0.1), (0.5, 0.0), (0.75, 0.1), (1.0, 0.2)):
        moved = asset.vertices(0, t * rig.duration) - asset.rest_positions()
        np.testing.assert_allclose(moved, np.broadcast_to((x, 0, 0), moved.shape), atol=1e-6)


# ---- joints and skins --------------------------------------------------------------------------------------------------


def hinged(place, side, angle):
    """Where `place` of a unit door in the plane z = 0, hinged at `side` of its lower left or upper right corner, goes."""
    rig = Rig("door")
    node = rig.node("hinge", (1, 0, 0) if side == "right" else (0, 1, 0) if side == "top" else (0, 0, 0))
    rig.add(rig.part("door", node), box((0, 0, 0), (1, 1, 0.0)), rig.material(Material((1, 1, 1))))
    rig.rotate(node, turn(HINGES[side], np.array([0, angle])))
    asset = rig.finish("Test", {})
    rest, moved = asset.rest_positions(), asset.vertices(0, rig.duration)
    corner = np.abs(rest - (np.array(place) - (0.5, 0.5, 0))).sum(1).argmin()
    return moved[corner] + (0.5, 0.5, 0)


@pytest.mark.parametrize(("side", "place", "expected"), [
    ("left", (1, 0, 0), (0, 0, 1)), ("right", (0, 0, 0), (1, 0, 1)),
    ("bottom", (0, 1, 0), (0, 0, 1)), ("top", (0, 0, 0), (0, 1, 1)),
])
def test_a_quarter_turn_about_any_hinge_opens_to_the_front(side, place, expected):
    np.testing.assert_allclose(hinged(place, side, np.pi / 2), expected, atol=1e-6)


def test_joints_move_shut_to_open_within_their_reach():
    for seed in range(30):
        rig = Rig("slide")
        node = rig.node("rail")
        rig.add(rig.part("drawer", node), box((0, 0, 0), (1, 1, 1)), rig.material(Material((1, 1, 1))))
        drive(np.random.default_rng(seed), rig, [Movable(node, "slide", (0, 0, 1), 0.5)])
        z = rig.channels[node, "translation"].values[:, 2]
        assert z.min() >= -1e-6 and z.max() <= 0.5 * 1.15 and np.ptp(z) >= 0.4 * 0.5
        assert min(z[0], z[-1]) <= 0.15 * 0.5 + 1e-6 or z[0] == pytest.approx(z[-1])


def test_a_bent_tube_follows_its_second_bone():
    # A tube from x = 0 to 2 with a joint at 1, bent up by a quarter: its end goes from (2, 0, 0) to (1, 1, 0).
    rig = Rig("arm")
    points = np.array([(0, 0, 0), (1, 0, 0), (2, 0, 0.0)])
    bones = chain(rig, "arm", points)
    limb(rig, rig.part("arm"), points, 0.1, bones, rig.material(Material((1, 1, 1))), sides=8)
    rig.rotate(bones[1], turn((0, 0, 1), np.array([0, np.pi / 2])))
    asset = rig.finish("Test", {})
    rest, moved = asset.rest_positions(), asset.vertices(0, rig.duration)
    scale = np.ptp(rest[:, 0]) / 2.2  # the domes add 0.1 at both ends
    far, near = rest[:, 0] > 0.75 * scale, rest[:, 0] < -0.5 * scale
    np.testing.assert_allclose(moved[near], rest[near], atol=1e-6)
    expected = (rest[far] - (0, 0, 0)) @ rotation((0, 0, 1), np.pi / 2).T  # the joint is the middle of the box: the origin
    np.testing.assert_allclose(moved[far], expected, atol=1e-6)

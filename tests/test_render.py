"""The rasteriser against worked cases: where a square lands, what hides what, how much of a pixel is covered."""

import numpy as np
from toys import FRONT, GLOW

from procedural_library import make_asset
from procedural_library.articulated import Builder
from puppetmaster_core.assets.asset import Material
from puppetmaster_core.render import Camera, drag_a_move_camera, render


def slabs(*boxes):
    """Boxes (low, high, colour), each a part of its own, not rescaled."""
    build = Builder()
    for low, high, color in boxes:
        part = build.add_part("slab")
        build.box(part, low, high, build.add_material(Material(color)))
    asset = build.finish(category="Test", provenance={})
    return asset, np.concatenate(build.vertices)[None]


def test_the_camera_projects_as_computed_by_hand():
    # Seen from (0, 0, 4): a point at z = 2 is 2 m away, so x = 1/2 + 2·0.25/2; up in the world is up in the picture.
    np.testing.assert_allclose(FRONT.project(np.array([0.25, 0.5, 2.0])), [0.75, 0.0, 2.0])
    right = Camera(azimuth=90, elevation=0, distance=4.0, focal=2.0)
    np.testing.assert_allclose(right.project(np.array([0.0, 0.0, -0.5])), [0.75, 0.5, 4.0], atol=1e-12)
    above = Camera(azimuth=0, elevation=90, distance=4.0, focal=2.0)
    np.testing.assert_allclose(above.project(np.array([0.0, 0.0, 0.5])), [0.5, 0.75, 4.0], atol=1e-12)


def test_a_square_covers_the_pixels_it_should():
    # The front face at z = 0 spans x, y in [-1/2, 1/2]: the middle half of the picture, pixels 2 to 5 of 8.
    asset, vertices = slabs(((-0.5, -0.5, -0.1), (0.5, 0.5, 0.0), (1.0, 0.0, 0.0)))
    drawn = render(asset, vertices, FRONT, 8, lights=GLOW)
    expected = np.zeros((8, 8), bool)
    expected[2:6, 2:6] = True
    np.testing.assert_array_equal(drawn.part_ids[0] == 0, expected)
    np.testing.assert_array_equal(drawn.frames[0][expected], np.tile([255, 0, 0], (16, 1)).astype(np.uint8))
    np.testing.assert_array_equal(drawn.frames[0][~expected], 255)
    np.testing.assert_allclose(drawn.depth[0][expected], 4.0, rtol=1e-6)
    assert np.isinf(drawn.depth[0][~expected]).all()


def test_the_nearer_part_hides_the_farther():
    near, far = (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)
    boxes = [((-0.5, -0.5, -1.1), (0.5, 0.5, -1.0), far), ((-0.2, -0.2, 0.0), (0.2, 0.2, 0.1), near)]
    for order in (boxes, boxes[::-1]):
        asset, vertices = slabs(*order)
        drawn = render(asset, vertices, FRONT, 9, lights=GLOW)
        np.testing.assert_array_equal(drawn.frames[0, 4, 4], [0, 0, 255])


def test_a_half_covered_pixel_is_half_transparent():
    # The right edge at X = 1/8 is at x = 9/16, the middle of pixel 4 of 8, which spans 1/2 to 5/8 of the picture.
    asset, vertices = slabs(((-0.5, -0.5, -0.1), (0.125, 0.5, 0.0), (0.0, 0.0, 0.0)))
    drawn = render(asset, vertices, FRONT, 8, lights=GLOW)
    assert drawn.alpha[0, 4, 3] == 255 and drawn.alpha[0, 4, 4] == 128 and drawn.alpha[0, 4, 5] == 0
    assert drawn.frames[0, 4, 4, 0] == 128


def test_barycentric_coordinates_give_back_the_pixel():
    # Unprojecting every drawn pixel through its triangle and projecting it again must land on the pixel's centre.
    asset = make_asset("cabinet", 3)
    positions = asset.vertices(0, 0.4)[None]
    camera = drag_a_move_camera(np.random.default_rng(0), positions)
    drawn = render(asset, positions, camera, 64)
    rows, columns = np.nonzero(drawn.face[0] >= 0)
    corners = positions[0, asset.faces[drawn.face[0, rows, columns]]]
    points = np.einsum("pkc,pk->pc", corners, drawn.barycentric[0, rows, columns])
    seen = camera.project(points)
    np.testing.assert_allclose(seen[:, 0] * 64, columns + 0.5, atol=1e-3)
    np.testing.assert_allclose(seen[:, 1] * 64, rows + 0.5, atol=1e-3)
    np.testing.assert_allclose(seen[:, 2], drawn.depth[0, rows, columns], rtol=1e-5)


def test_supersampling_only_softens_edges():
    asset = make_asset("cabinet", 5)
    positions = asset.vertices(0, 0.0)[None]
    camera = drag_a_move_camera(np.random.default_rng(1), positions)
    soft, hard = (render(asset, positions, camera, 64, supersampling=s) for s in (2, 1))
    np.testing.assert_array_equal(soft.part_ids, hard.part_ids)
    assert np.isin(hard.alpha, (0, 255)).all() and not np.isin(soft.alpha, (0, 255)).all()


def test_the_view_holds_the_object():
    for seed in range(10):
        asset = make_asset("cabinet", seed)
        positions = np.stack([asset.vertices(0, t) for t in asset.sample_times(0, 5)])
        seen = drag_a_move_camera(np.random.default_rng(seed), positions).project(positions)[..., :2]
        extent = np.abs(seen - 0.5).max() * 2
        assert 0.7 < extent < 0.96, f"cabinet {seed} spans {extent:.2f} of the picture"

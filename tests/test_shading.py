"""What a pixel shows: textures in perspective, normals, suns, holes; expected values by geometry, not by the rasteriser."""

from dataclasses import replace

import numpy as np
import pytest
from toys import FRONT, GLOW, baked, ball, checks, quad, shown

from puppetmaster_core.assets.asset import Material
from puppetmaster_core.clips import SurfacePoints
from puppetmaster_core.render import Camera, Lights, Sun, render


def rays(camera, size):
    """Directions (size, size, 3) through the pixels' centres, of length 1 along the view."""
    at = ((np.arange(size) + 0.5) / size - 0.5) / camera.focal
    x, y = np.meshgrid(at, at)
    return np.stack([x, y, np.ones_like(x)], -1) @ camera.rotation


def test_a_texture_is_seen_in_perspective():
    """A plane that runs away from the camera: the texel at every pixel is where the pixel's ray meets the plane."""
    texture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    vertices, faces, uv = quad((-0.8, -0.8), (0.8, 0.8), 0.0)
    floor = vertices[:, [0, 2, 1]] * (1, 1, -3)  # y becomes depth: 4.8 m away from the camera's side to the far side
    camera = Camera(azimuth=10, elevation=30, distance=5.0, focal=1.2)
    asset = baked(floor[None], faces, uv=uv, materials=[Material((1, 1, 1), texture)])
    drawn = render(asset, floor[None], camera, 48, lights=GLOW, supersampling=1)
    ray = rays(camera, 48)
    point = camera.position - ray * (camera.position[1] / ray[..., 1:2])
    u, v = (point[..., 0] + 0.8) / 1.6, 1 - (-point[..., 2] / 3 + 0.8) / 1.6
    inside = (abs(u - 0.5) < 0.49) & (abs(v - 0.5) < 0.49) & (ray[..., 1] < 0)
    cell = np.stack([u * 8, v * 8], -1)
    clear = inside & (abs(cell - np.rint(cell)) > 0.02).all(-1)  # not on a border between texels
    assert clear.sum() > 300
    expected = texture[np.floor(cell[..., 1][clear]).astype(int), np.floor(cell[..., 0][clear]).astype(int)]
    np.testing.assert_array_equal(drawn.frames[0][clear], expected)


def test_linear_filtering_lies_between_texels_near_and_averages_far():
    vertices, faces, uv = quad((-1, -1), (1, 1), 0.0)
    colors = np.array([[[0, 0, 0], [200, 100, 60]]], np.uint8)  # one row of two texels
    across = baked(vertices[None], faces, uv=uv, materials=[Material((1, 1, 1), colors, filtering="linear")])
    row = render(across, vertices[None], FRONT, 64, lights=GLOW).frames[0, 32].astype(float)
    u = (np.arange(64) + 0.5) / 64
    expected = np.interp(u, [0.25, 0.75], [0, 1])[:, None] * (200, 100, 60)
    inner = (u > 0.26) & (u < 0.74)
    np.testing.assert_allclose(row[inner], expected[inner], atol=1.5)
    fine = baked(vertices[None], faces, uv=16 * uv, materials=[Material((1, 1, 1), checks(64, 32), filtering="linear")])
    mean = checks(64, 32).mean((0, 1))
    rough = replace(fine, materials=[replace(fine.materials[0], filtering="nearest")])
    soft, hard = (render(asset, vertices[None], FRONT, 16, lights=GLOW).frames[0].reshape(-1, 3) for asset in (fine, rough))
    np.testing.assert_allclose(soft, [mean] * 256, atol=3)
    assert abs(hard - mean).max() > 50  # each sample meets one square only


@pytest.mark.parametrize("round_", [True, False])
def test_a_smooth_ball_is_lit_as_a_ball_and_a_flat_one_by_its_triangles(round_):
    """Lambert's law under two suns, on linear colour: albedo · (ambient + Σ strength / π · max(0, cos))."""
    vertices, faces, _ = ball(0.5, rings=24, around=48)
    suns = (Sun((1.0, 2.0, 2.0), 1.5), Sun((-3.0, 0.0, 1.0), 1.0))
    lights = Lights(suns, ambient=0.1, physical=True)
    asset = baked(vertices[None], faces, smooth=faces.astype(np.int32) if round_ else None)
    drawn = render(asset, vertices[None], FRONT, 64, lights=lights, supersampling=1)
    seen = drawn.part_ids[0] == 0
    point = SurfacePoints.visible(drawn).positions(asset, vertices[None])[0]
    triangle = vertices[faces[drawn.face[0][seen]]]
    normal = point if round_ else np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    light = 0.1 + sum(sun.strength / np.pi * np.maximum(normal @ (np.array(sun.towards) / np.linalg.norm(sun.towards)), 0)
                      for sun in suns)
    albedo = ((0.5 + 0.055) / 1.055) ** 2.4
    off = np.abs(drawn.frames[0][seen][:, 0] - shown(albedo * light))
    assert off.max() < (2.5 if round_ else 1.0)


def test_plain_suns_add_up_and_light_both_sides():
    # The square faces +z: cos 1 for a sun in front or behind, 1/√2 for one at 45°. 0.2 + 0.3 + 0.4/√2 of 0.5.
    vertices, faces, _ = quad((-1, -1), (1, 1), 0.0)
    lights = Lights((Sun((0, 0, -2), 0.3), Sun((5, 0, 5), 0.4)), ambient=0.2)
    drawn = render(baked(vertices[None], faces), vertices[None], FRONT, 4, lights=lights)
    assert drawn.frames[0, 1, 1, 0] == round(255 * 0.5 * (0.2 + 0.3 + 0.4 / 2**0.5))


def test_physical_suns_light_the_side_that_is_seen():
    vertices, faces, _ = quad((-1, -1), (1, 1), 0.0)
    for order in (faces, faces[:, ::-1]):  # whichever way the triangle is wound
        for towards, expected in (((0, 0, 1), 1.0), ((0, 0, -1), 0.0)):
            lights = Lights((Sun(towards, np.pi),), ambient=0.0, physical=True)
            drawn = render(baked(vertices[None], order, materials=[Material((1, 1, 1))]), vertices[None], FRONT, 4, lights=lights)
            assert drawn.frames[0, 1, 1, 0] == 255 * expected


def see_through(material):
    """A square of `material` before a black one: the drawing, 8 pixels a side, and with only the front one."""
    front, faces, uv = quad((-1, -1), (1, 1), 0.5)
    back, behind, _ = quad((-1, -1), (1, 1), 0.0)
    vertices = np.concatenate([front, back])
    asset = baked(vertices[None], np.concatenate([faces, behind + 4]), uv=np.concatenate([uv, uv]), material=[0, 0, 1, 1],
                  submodel=[0, 0, 1, 1], materials=[material, Material((0, 0, 0))])
    alone = baked(front[None], faces, uv=uv, materials=[material])
    return render(asset, vertices[None], FRONT, 8, lights=GLOW), render(alone, front[None], FRONT, 8, lights=GLOW)


def test_one_looks_through_holes():
    texture = np.full((1, 2, 4), 255, np.uint8)
    texture[0, 1, 3] = 100  # the right half: 100/255 < 1/2
    both, alone = see_through(Material((1, 0, 0), texture, alpha_mode="mask"))
    assert (both.part_ids[0, :, :4] == 0).all() and (both.part_ids[0, :, 4:] == 1).all()
    assert (both.frames[0, :, 4:] == 0).all() and (alone.alpha[0] == [255] * 4 + [0] * 4).all()
    solid, _ = see_through(Material((1, 0, 0), texture, alpha_mode="mask", alpha_cutoff=0.3))
    whole, _ = see_through(Material((1, 0, 0), texture))
    assert (solid.part_ids == 0).all() and (whole.part_ids == 0).all()


@pytest.mark.parametrize("alpha, covered", [(0.1, 0), (0.25, 1), (0.5, 2), (0.75, 3), (0.95, 4)])
def test_a_blended_surface_lets_a_share_of_the_samples_through(alpha, covered):
    both, alone = see_through(Material((1, 1, 1), alpha=alpha, alpha_mode="blend"))
    assert (alone.alpha == round(255 * covered / 4)).all()
    np.testing.assert_allclose(both.frames[0], 255 * covered / 4, atol=0.51)
    assert (both.part_ids == (0 if alpha >= 0.5 else 1)).all()


def test_vertices_that_cannot_be_seen_are_not_drawn():
    """Behind the camera, in its plane, at infinity, or no numbers at all: those triangles are missing, the others are there."""
    vertices, faces, _ = quad((-1, -1), (1, 1), 0.0)
    for odd in ((0, 0, 9), (0, 0, 4), (np.inf, 0, 0), (np.nan, 0, 0), (1e308, 1e308, 0)):
        both = np.concatenate([vertices, [odd, odd, (0.5, 0, 1)]])
        asset = baked(both[None], [*faces, (4, 2, 6), (4, 5, 6)])
        assert (render(asset, both[None], FRONT, 8, lights=GLOW).face[0] < 2).all(), odd


def test_what_the_loops_would_read_beyond_is_refused():
    vertices, faces, uv = quad((-1, -1), (1, 1), 0.0)
    whole = baked(vertices[None], faces, uv=uv)
    for damaged, said in (({"material": np.array([0, 1])}, "got material from 0 to 1, expected 0 to 0"),
                          ({"faces": faces - 1}, "faces from -1"), ({"uv": uv[:1]}, r"uv of shape \(1, 3, 2\)"),
                          ({"smooth": faces + 9}, "smooth from 9"), ({"faces": faces[:0]}, "no triangles"),
                          ({"materials": [Material((1, 1, 1), np.zeros((4, 4), np.uint8))]}, r"texture of shape \(4, 4\)")):
        with pytest.raises(ValueError, match=said):
            render(replace(whole, **damaged), vertices[None], FRONT, 4)
    with pytest.raises(ValueError, match="got positions of 3 vertices, expected at least 4"):
        render(whole, vertices[None, :3], FRONT, 4)

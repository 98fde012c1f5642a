"""The small files of other exporters' habits, each as its README says is right. They are shared, not part of this project."""

from pathlib import Path

import numpy as np
import pytest
from test_looks import DIM, GLOW, light, shown

from puppetmaster_core.assets import load_asset
from puppetmaster_core.render import Camera, render

FILES = Path(__file__).parents[2] / "shared" / "data" / "hard_assets"
FRONT = Camera(azimuth=0, elevation=0, distance=4.0, focal=2.0)
SIDE = Camera(azimuth=30, elevation=20, distance=4.0, focal=2.0)

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the shared assets are not here")


def drawn(name, size=48, camera=FRONT, lights=GLOW, supersampling=1):
    asset = load_asset(FILES / name)
    return render(asset, asset.vertices(0, 0.0)[None], camera, size, lights=lights, supersampling=supersampling)


def colors(rendering):
    """The colours of what is seen at the pixels' centres, (n, 3)."""
    return np.unique(rendering.frames[0][rendering.face[0] >= 0], axis=0)


def note(name):
    return " | ".join(load_asset(FILES / name).report)


@pytest.mark.parametrize("name", ["shared.glb", "shared_no_normals.glb"])
def test_shared_vertices(name):
    assert len(load_asset(FILES / name).faces) == 12
    seen = {tuple(c) for camera in (SIDE, Camera(210, -20, 4.0, focal=2.0)) for c in colors(drawn(name, camera=camera)).tolist()}
    assert len(seen) == 6  # one colour a side of the cube


@pytest.mark.parametrize("lights", DIM)
def test_emission_is_seen_unshaded(lights):
    frame, size = drawn("emissive.glb", 96, lights=lights).frames[0], 96
    quarters = [frame[size // 2 + dy, size // 2 + dx].tolist() for dy in (-20, 20) for dx in (-20, 20)]
    assert sorted(quarters) == sorted([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]])


def test_clamping_is_done_at_each_sample():
    np.testing.assert_array_equal(drawn("square.glb", 96).frames, drawn("square_expected.glb", 96).frames)


@pytest.mark.parametrize(("name", "places"), [("clamp", [0, 0, 0, 1, 1, 1]), ("mirror", [1, 0, 0, 1, 1, 0]),
                                              ("repeat", [0, 1, 0, 1, 0, 1])])
def test_wrap_modes(name, places):
    frame = drawn(f"{name}.glb", 12).frames[0]
    four = frame[5:7, 5:7] if name == "clamp" else frame[4:8:2, 4:8:2]  # the texture's own texels
    at = np.repeat(places, 2)
    np.testing.assert_array_equal(frame, four[at][:, at])
    assert len(np.unique(four.reshape(-1, 3), axis=0)) == 4


def test_sixteen_bit_grey_is_as_its_twin():
    np.testing.assert_array_equal(drawn("grey16.glb").frames, drawn("grey8.glb").frames)
    levels = colors(drawn("grey16.glb", 96))
    assert {78, 195} <= set(levels[:, 0].tolist())


def test_vertex_colours_over_white_and_over_a_white_texture():
    np.testing.assert_array_equal(drawn("gradient.glb").frames, drawn("white_texture.glb").frames)
    asset, rendering = load_asset(FILES / "gradient.glb"), drawn("gradient.glb", 96)
    seen = rendering.face[0] >= 0
    mixed = np.einsum("pk,pkc->pc", rendering.barycentric[0][seen], asset.colors[rendering.face[0][seen]])[:, :3]
    np.testing.assert_allclose(rendering.frames[0][seen], shown(mixed), atol=0.7)
    assert np.ptp(light(rendering.frames[0][seen]), axis=0).max() > 0.9


@pytest.mark.parametrize("name", ["empty_primitive.glb", "empty_indices.glb", "short_texcoord1.glb"])
def test_the_sound_part_is_drawn_and_the_other_named(name):
    asset = load_asset(FILES / name)
    assert len(asset.faces) == 12 and "left out" in note(name)
    assert np.abs(asset.vertices(0, 1) - asset.vertices(0, 0))[:, 0] == pytest.approx(0.6)


def test_chunks_without_padding():
    assert len(load_asset(FILES / "unpadded.glb").faces) == 12 and "multiple of 4" in note("unpadded.glb")


@pytest.mark.parametrize("lights", DIM)
def test_unlit_and_lit(lights):
    np.testing.assert_allclose(colors(drawn("unlit.glb", lights=lights)), [shown([1, 0.5, 0.1])], atol=0.6)
    assert colors(drawn("lit.glb", lights=lights)).max() < 160


def test_five_instances():
    assert len(load_asset(FILES / "required.glb").faces) == 5 * 12 and note("required.glb") == ""


def test_what_is_hidden_hides_nothing():
    assert colors(drawn("hidden.glb")).tolist() == [[0, 255, 0]]
    assert len(load_asset(FILES / "hidden.glb").submodels) == 1


def test_a_texture_that_is_never_a_good_white_one():
    assert "texture lost" in load_asset(FILES / "ktx2.glb").notes


def test_an_outline_is_a_rim():
    frame = drawn("outline.glb", 96, SIDE).frames[0]
    black, orange = (frame == 0).all(-1), (np.abs(frame - shown([1, 0.6, 0.1])) < 1).all(-1)
    assert 0.05 < black.sum() / orange.sum() < 0.25  # the hull is 6 % larger than the cube


def test_a_channel_to_a_missing_node():
    assert "channel 1 of animation 0 is left out" in note("missing_node.glb")
    asset = load_asset(FILES / "missing_node.glb")
    assert np.abs(asset.vertices(0, 1) - asset.vertices(0, 0)).max() > 0.1


@pytest.mark.parametrize("name", ["backslash", "up_and_down"])
def test_textures_are_found(name):
    asset = load_asset(FILES / "uris" / f"{name}.gltf")
    assert asset.report == [] and asset.materials[0].texture is not None


def test_base64_with_newlines():
    assert len(load_asset(FILES / "uris" / "b64_newlines.gltf").faces) == 12

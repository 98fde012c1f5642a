"""What a glTF surface looks like in the picture: colours worked out by hand from glTF 2.0, section 3.9, and sRGB's formula."""

import base64

import numpy as np
import pytest
from gltf_files import TURN_Z, File
from toys import FRONT, GLOW, shown

from puppetmaster_core.assets import load_asset
from puppetmaster_core.render import Camera, Lights, Sun, render

DIM = (Lights((Sun((0, 0, 1), 0.3),), ambient=0.1), Lights((Sun((0, 0, 1), 0.3),), ambient=0.1, physical=True))
SQUARE = [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]
CORNERS = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float)  # their texture coordinates: v runs down
FOUR = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)


def light(level):
    """The linear light of a displayed level, 0 to 255."""
    share = np.asarray(level) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def square(file, material=None, uv=CORNERS, node=None, extension=None, **attributes):
    """A square that fills the picture, on a node of its own; its index."""
    primitive = file.primitive(SQUARE, [0, 1, 2, 0, 2, 3], TEXCOORD_0=uv, **attributes)
    if material is not None:
        primitive["material"] = file.add("materials", material)
    return file.node(mesh=file.mesh(primitive), **(node or {}))


def drawn(file, tmp_path, size=12, lights=GLOW, camera=FRONT):
    asset = load_asset(file.write(tmp_path / "a.glb"))
    return render(asset, asset.rest()[None], camera, size, lights=lights, supersampling=1)


def moving(file, tmp_path):
    """The asset, once its first node moves."""
    file.animation((0, "translation", [0, 1], [[0, 0, 0], [1, 0, 0]]))
    return load_asset(file.write(tmp_path / "a.glb"))


def picture(file, tmp_path, **how):
    return drawn(file, tmp_path, **how).frames[0].astype(float)


def base(file, pixels=FOUR, sampler=(10497, 10497), nearest=True, **info):
    """The base colour of a texture."""
    texture = file.picture(pixels)
    filters = {"magFilter": 9728, "minFilter": 9728} if nearest else {}
    file.json["textures"][texture]["sampler"] = file.add("samplers", {**filters, "wrapS": sampler[0], "wrapT": sampler[1]})
    return {"pbrMetallicRoughness": {"baseColorTexture": {"index": texture, **info}, "metallicFactor": 0}}


# Which of two texels stands at the six places from -1 to 2.
PLACES = {10497: [0, 1, 0, 1, 0, 1], 33071: [0, 0, 0, 1, 1, 1], 33648: [1, 0, 0, 1, 1, 0]}


@pytest.mark.parametrize("across", PLACES)
@pytest.mark.parametrize("down", PLACES)
@pytest.mark.parametrize("moved", [False, True])
def test_a_texture_wraps_along_each_axis_for_itself_at_each_sample(across, down, moved, tmp_path):
    file, uv, info = File(), 3 * CORNERS - 1, {}
    if moved:  # the same by KHR_texture_transform: wrapping comes after it
        uv, info = CORNERS, {"extensions": {"KHR_texture_transform": {"scale": [3, 3], "offset": [-1, -1]}}}
    square(file, base(file, sampler=(across, down), **info), uv)
    expected = FOUR[np.repeat(PLACES[down], 2)][:, np.repeat(PLACES[across], 2)]
    np.testing.assert_array_equal(picture(file, tmp_path), expected)


def test_between_texels_a_clamped_texture_keeps_its_edge_and_a_repeating_one_does_not(tmp_path):
    # One row of black and white: left of the first texel's centre it stays black, or goes to the white beyond the edge.
    row = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    for wrap, left in ((33071, 0.0), (33648, 0.0), (10497, 0.5 - 1 / 32)):
        file = File()
        square(file, base(file, row, (wrap, wrap), nearest=False))
        assert picture(file, tmp_path, size=32)[16, 0, 0] == pytest.approx(255 * left, abs=1), wrap


@pytest.mark.parametrize("lights", DIM)
def test_what_a_surface_sends_out_is_seen_in_any_light(lights, tmp_path):
    file = File()
    texture = file.picture(FOUR)
    file.json["textures"][texture]["sampler"] = file.add("samplers", {"magFilter": 9728})
    square(file, {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, 1], "metallicFactor": 0},
                  "emissiveFactor": [0.5, 0.25, 1], "emissiveTexture": {"index": texture, "texCoord": 1},
                  "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 2}}}, TEXCOORD_1=CORNERS[:, ::-1])
    expected = shown(light(FOUR.transpose(1, 0, 2)) * [1, 0.5, 2]).repeat(6, 0).repeat(6, 1)  # rows and columns exchanged
    np.testing.assert_allclose(picture(file, tmp_path, lights=lights), expected, atol=0.6)


def test_what_a_surface_sends_out_adds_to_what_it_reflects(tmp_path):
    # 0.2 of a surface of 0.5 in physical light, and 0.1 of its own: 0.2 linear.
    file = File()
    square(file, {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.5, 0.5, 1]}, "emissiveFactor": [0.1] * 3})
    lights = Lights(suns=(), ambient=0.2, physical=True)
    np.testing.assert_allclose(picture(file, tmp_path, lights=lights), shown(0.2), atol=0.6)


@pytest.mark.parametrize("lights", DIM)
def test_an_unlit_surface_has_its_colour_in_any_light_and_nothing_else(lights, tmp_path):
    file, factor = File(), [1, 0.5, 0.1, 1]
    square(file, {"pbrMetallicRoughness": {"baseColorFactor": factor}, "emissiveFactor": [0, 1, 1],
                  "extensions": {"KHR_materials_unlit": {}}})
    np.testing.assert_allclose(picture(file, tmp_path, lights=lights) - shown(factor[:3]), 0, atol=0.6)


@pytest.mark.parametrize("textured", [False, True])
def test_vertex_colours_run_over_the_triangle_in_linear_light(textured, tmp_path):
    # Red grows from 0 on the left to 1 on the right, green is 0.25: times the texel, or times white.
    file = File()
    texel = np.array([[[200, 100, 50]]], np.uint8) if textured else np.array([[[255, 255, 255]]], np.uint8)
    material = base(file, texel) if textured else {}
    square(file, material, COLOR_0=[[x, 0.25, 1] for x in CORNERS[:, 0]])
    across = (np.arange(32) + 0.5) / 32
    factors = np.stack([across, np.full(32, 0.25), np.ones(32)], -1)
    expected = np.broadcast_to(shown(light(texel[0, 0]) * factors), (32, 32, 3))
    np.testing.assert_allclose(picture(file, tmp_path, size=32), expected, atol=0.7)


def test_the_alpha_of_vertices_makes_holes(tmp_path):
    file = File()
    square(file, {"alphaMode": "MASK", "alphaCutoff": 0.25}, COLOR_0=[[1, 1, 1, x] for x in CORNERS[:, 0]])
    seen = drawn(file, tmp_path, size=8).part_ids[0] >= 0
    np.testing.assert_array_equal(seen, np.broadcast_to([False, False] + [True] * 6, (8, 8)))


# A picture of 8 × 8 pixels, four squares in FOUR's colours, as UASTC in a KTX2 container; made with alktx2.
KTX2 = base64.b64decode("""q0tUWCAyMLsNChoKAAAAAAEAAAAIAAAACAAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAaAAAACwAAACUAAAALAAAAAAAAAAAAAAAAAAAAA
AAAADAAAAAAAAAAEAAAAAAAAAAQAAAAAAAAAAsAAAAAAAAAAIAKACmAQIAAwMAABAAAAAAAAAAAAB/AAAAAAAAAAAA/////x8AAABLVFh3cml0ZXIAQmFz
aXMgVW5pdmVyc2FsIDIuMTAAAAQAAAB/fwAA9x8A4B96AAAAAAAAAAAAABfgH+AfAg8AAAAAAAAAAAAXAOD/HwLgAQAAAAAAAAAA9/8f4B98DwAAAAAAAAAAAA
==""")


def basis(file) -> dict:
    """A base colour whose texture is there as KTX2 only."""
    image = file.add("images", {"bufferView": file.view(KTX2), "mimeType": "image/ktx2"})
    sampler = file.add("samplers", {"magFilter": 9728})
    texture = file.add("textures", {"extensions": {"KHR_texture_basisu": {"source": image}}, "sampler": sampler})
    file.json["extensionsRequired"] = ["KHR_texture_basisu"]
    return {"pbrMetallicRoughness": {"baseColorTexture": {"index": texture}, "metallicFactor": 0}}


def test_basis_universal_textures_are_decoded(tmp_path):
    pytest.importorskip("opengl_basisu", reason="the decoder is not installed: pip install opengl_basisu")
    file = File()
    square(file, basis(file))
    np.testing.assert_allclose(picture(file, tmp_path), FOUR.repeat(6, 0).repeat(6, 1), atol=3)


def test_without_its_decoder_such_a_texture_is_lost_with_a_note(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "opengl_basisu", None)
    file = File()
    square(file, basis(file))
    asset = moving(file, tmp_path)
    assert asset.notes == ["texture lost"] and "pip install opengl_basisu" in asset.report[0]


# ---- sides, instances, what is hidden ------------------------------------------------------------------------------------

BEHIND = Camera(azimuth=180, elevation=0, distance=4.0, focal=2.0)
MIRROR = {"scale": [-1, 1, 1]}


@pytest.mark.parametrize("node", [{}, MIRROR, {"matrix": [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}])
@pytest.mark.parametrize(("double", "behind"), [(None, False), (False, False), (True, True)])
def test_a_surface_of_one_side_is_not_there_from_behind(node, double, behind, tmp_path):
    # A mirrored node turns the corners round, and with them which way counts as the front (section 3.7.4).
    file = File()
    square(file, {} if double is None else {"doubleSided": double}, node=node)
    assert (drawn(file, tmp_path).part_ids == 0).all()
    assert (drawn(file, tmp_path, camera=BEHIND).part_ids == 0).all() == behind


def test_a_skin_that_mirrors_turns_its_surface_round(tmp_path):
    file = File()
    joint = file.node(**MIRROR)
    file.add("skins", {"joints": [joint]})
    square(file, {}, node={"skin": 0}, JOINTS_0=file.accessor([[0, 0, 0, 0]] * 4, "u1"), WEIGHTS_0=[[1, 0, 0, 0]] * 4)
    assert (drawn(file, tmp_path).part_ids == 0).all()
    assert (drawn(file, tmp_path, camera=BEHIND).part_ids == -1).all()


def test_instances_are_drawn_where_they_are_put(tmp_path):
    # Squares of a quarter's size, the second one turned and mirrored: the corners of the picture but one.
    file = File()
    at = [[-0.75, 0.75, 0], [0.75, 0.75, 0], [0.75, -0.75, 0]]
    instances = {"TRANSLATION": file.accessor(at), "SCALE": file.accessor([[0.25, 0.25, 1], [-0.25, 0.25, 1], [0.25, 0.25, 1]]),
                 "ROTATION": file.accessor([[0, 0, 0, 1], TURN_Z, [0, 0, 0, 1]])}
    node = square(file, {}, node={"extensions": {"EXT_mesh_gpu_instancing": {"attributes": instances}}})
    file.json["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    file.animation((node, "translation", [0, 1], [[0, 0, 0], [0.5, 0, 0]]))
    expected = np.full((8, 8), -1)
    expected[:2, :2] = expected[:2, 6:] = expected[6:, 6:] = 0
    np.testing.assert_array_equal(drawn(file, tmp_path, size=8).part_ids[0], expected)
    asset = load_asset(tmp_path / "a.glb")
    assert asset.report == [] and len(asset.faces) == 6
    np.testing.assert_allclose(asset.vertices(0, 1) - asset.vertices(0, 0), np.broadcast_to([0.5, 0, 0], (12, 3)), atol=1e-6)


def test_what_is_hidden_is_not_drawn_nor_what_hangs_from_it(tmp_path):
    file = File()
    square(file, {}, node={"name": "seen"})
    hidden = file.node(extensions={"KHR_node_visibility": {"visible": False}})
    file.node(parent=hidden, mesh=0, translation=[0, 0, 0.5])
    assert load_asset(file.write(tmp_path / "a.glb")).submodels == ["seen"]


# ---- what is noted -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("material", "noted"), [
    ({"extensions": {"KHR_materials_clearcoat": {"clearcoatFactor": 1}}}, "KHR_materials_clearcoat"),
    ({"extensions": {"KHR_materials_clearcoat": {"clearcoatFactor": 0}}}, None),
    ({"extensions": {"KHR_materials_ior": {"ior": 1.5}}}, None),
    ({"extensions": {"KHR_materials_specular": {"specularColorFactor": [1, 0, 0]}}}, "KHR_materials_specular"),
    ({"extensions": {"KHR_materials_pbrSpecularGlossiness": {}}}, "KHR_materials_pbrSpecularGlossiness"),
    ({"extensions": {"KHR_materials_pbrSpecularGlossiness": {"specularFactor": [0, 0, 0]}}}, None),
    ({"extensions": {"KHR_materials_velvet": {}}}, "KHR_materials_velvet"),
    ({"normalTexture": {"index": 0}}, "normalTexture"),
    ({"pbrMetallicRoughness": {"metallicFactor": 1}}, "metallicFactor"),
    ({"pbrMetallicRoughness": {"roughnessFactor": 0.1}}, "roughnessFactor"),
    ({"pbrMetallicRoughness": {"roughnessFactor": 0.9}}, None),
])
def test_what_shows_and_is_not_drawn_is_noted(material, noted, tmp_path):
    file = File()
    square(file, material)
    asset = moving(file, tmp_path)
    assert [line.split()[0] for line in asset.report] == ([noted] if noted else [])
    assert asset.notes == (["look simplified"] if noted else [])

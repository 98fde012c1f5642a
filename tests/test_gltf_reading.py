"""Every way a glTF file may hold its triangles and colours ends in the same asset."""

import json

import numpy as np
import pytest
from gltf_files import QUAD, TRIANGLE, File, compressed, draco_quad, everything, moving_triangle

from puppetmaster_core.assets import AnimatedAsset, load_asset

DOTS = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]]  # red, green / blue, white


def loaded(file, tmp_path):
    return load_asset(file.write(tmp_path / "a.glb"))


def test_a_sub_model_is_a_node_with_a_mesh(tmp_path):
    # Two primitives of one mesh differ in material only; the mesh used twice gives two sub-models; an empty node gives none.
    file = File()
    mesh = file.mesh(file.primitive(), file.primitive())
    hub = file.node(name="hub")
    file.node(parent=hub, mesh=mesh, name="left")
    file.node(parent=hub, mesh=mesh, translation=[5, 0, 0])
    file.add("nodes", {"mesh": mesh, "name": "in no scene"})
    file.json["meshes"][mesh]["name"] = "wheel"
    asset = loaded(file, tmp_path)
    assert isinstance(asset, AnimatedAsset)
    assert asset.submodels == ["left", "wheel"]
    assert asset.submodel.tolist() == [0, 0, 1, 1]
    assert asset.faces.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    np.testing.assert_allclose(asset.rest()[6:9], np.add(TRIANGLE, [5, 0, 0]))


def test_glb_and_gltf_with_the_buffer_inside_or_beside_are_one(tmp_path):
    file = everything()
    first = loaded(file, tmp_path)
    (tmp_path / "b.gltf").write_bytes(file.gltf())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "the buffer.bin").write_bytes(file.blob)
    (tmp_path / "c.gltf").write_bytes(file.gltf("data/the%20buffer.bin"))
    for name in ("b.gltf", "c.gltf"):
        other = load_asset(tmp_path / name)
        np.testing.assert_array_equal(other.vertices("move", 0.7), first.vertices("move", 0.7))
        np.testing.assert_array_equal(other.materials[0].texture, first.materials[0].texture)
        assert other.report == first.report


def test_the_asset_says_where_it_comes_from(tmp_path):
    file = moving_triangle()
    file.json["asset"] |= {"generator": "by hand", "extras": {"license": "CC0-1.0", "category": "Animals", "seed": 3}}
    asset = loaded(file, tmp_path)
    assert asset.category == "Animals"
    assert asset.provenance["source"] == "a.glb"
    assert asset.provenance["licence"] == "CC0-1.0"
    assert asset.provenance["extras"]["seed"] == 3
    assert len(asset.provenance["sha256"]) == 64
    file.json["asset"]["extras"] = {"puppetmaster": {"licence": "CC-BY-4.0", "category": "Human-Shape"}}  # as our library writes
    asset = loaded(file, tmp_path)
    assert (asset.category, asset.provenance["licence"]) == ("Human-Shape", "CC-BY-4.0")


@pytest.mark.parametrize(("mode", "indices", "faces"), [
    (4, None, [[0, 1, 2]]),
    (4, [0, 1, 3, 0, 3, 2], [[0, 1, 3], [0, 3, 2]]),
    (5, [0, 1, 2, 3], [[0, 1, 2], [1, 3, 2]]),
    (6, [0, 1, 3, 2], [[1, 3, 0], [3, 2, 0]]),
])
def test_lists_strips_and_fans(mode, indices, faces, tmp_path):
    # The specification's order of corners: strips turn every second triangle, fans end on their centre.
    file = File()
    file.node(mesh=file.mesh({**file.primitive(QUAD, indices), "mode": mode}))
    assert loaded(file, tmp_path).faces.tolist() == faces


def test_interleaved_sparse_and_quantised_positions(tmp_path):
    file = File()
    rows = np.zeros((3, 5), np.float32)  # xyz and two numbers of something else
    rows[:, :3] = TRIANGLE
    view = file.view(rows.tobytes(), byteStride=20)
    spread = file.add("accessors", {"bufferView": view, "componentType": 5126, "count": 3, "type": "VEC3"})
    changed = {"count": 1, "indices": {"bufferView": file.view(bytes([1])), "componentType": 5121},
               "values": {"bufferView": file.view(np.float32([7, 8, 9]).tobytes())}}
    sparse = file.add("accessors", {**file.json["accessors"][spread], "sparse": changed})
    nothing = file.add("accessors", {"componentType": 5126, "count": 3, "type": "VEC3", "sparse": changed})
    small = file.accessor(np.multiply(TRIANGLE, 127), "i1", normalized=True)
    for accessor in (spread, sparse, nothing, small):
        file.node(mesh=file.mesh({"attributes": {"POSITION": accessor}}))
    expected = [TRIANGLE, [[0, 0, 0], [7, 8, 9], [0, 1, 0]], [[0, 0, 0], [7, 8, 9], [0, 0, 0]], TRIANGLE]
    np.testing.assert_allclose(loaded(file, tmp_path).rest().reshape(4, 3, 3), expected)


def dressed(file, material, **attributes):
    file.node(mesh=file.mesh({**file.primitive(**attributes), "material": material}))


def test_factors_are_linear_and_shown_as_srgb(tmp_path):
    # sRGB of 0.214 is 0.5 (IEC 61966-2-1); of 1, 1; of 0, 0.
    file = File()
    factors = {"baseColorFactor": [0.21404, 1, 0, 0.25]}
    dressed(file, file.add("materials", {"pbrMetallicRoughness": factors, "alphaMode": "BLEND"}))
    material = loaded(file, tmp_path).materials[0]
    np.testing.assert_allclose(material.color, [0.5, 1, 0], atol=1e-5)
    assert (material.alpha, material.alpha_mode, material.texture) == (0.25, "blend", None)


def test_texture_coordinates_are_transformed(tmp_path):
    # KHR_texture_transform's own example shows the lower left quarter of the picture, u in [0, 0.5] and v in [0.5, 1] (v runs
    # down), turned clockwise by 90°: the upper left corner of the surface shows the quarter's lower left.
    move = {"scale": [0.5, 0.5], "rotation": np.pi / 2, "offset": [0, 1], "texCoord": 1}
    file, corners = File(), [[0, 0], [1, 0], [0, 1]]
    colors = {"baseColorTexture": {"index": file.picture(DOTS), "extensions": {"KHR_texture_transform": move}}}
    dressed(file, file.add("materials", {"pbrMetallicRoughness": colors}), TEXCOORD_0=[[9, 9]] * 3, TEXCOORD_1=corners)
    np.testing.assert_allclose(loaded(file, tmp_path).uv[0], [[0, 1], [0, 0.5], [0.5, 1]], atol=1e-6)


def test_specular_glossiness_counts_as_base_colour(tmp_path):
    file = File()
    diffuse = {"diffuseFactor": [0, 1, 0, 1], "diffuseTexture": {"index": file.picture(DOTS)}}
    material = file.add("materials", {"extensions": {"KHR_materials_pbrSpecularGlossiness": diffuse}})
    dressed(file, material, TEXCOORD_0=[[0, 0]] * 3)
    material = loaded(file, tmp_path).materials[0]
    assert material.color == (0, 1, 0)
    np.testing.assert_array_equal(material.texture, DOTS)


def test_corners_with_one_place_and_one_normal_are_smooth(tmp_path):
    # Two triangles share an edge whose corners are stored twice: the first pair of copies has the same normal, the second not.
    file = File()
    positions = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    up, side = [0, 0, 1], [1, 0, 0]
    file.node(mesh=file.mesh(file.primitive(positions, NORMAL=[up, up, up, up, up, side])))
    file.node(mesh=file.mesh())
    smooth = loaded(file, tmp_path).smooth
    assert smooth[0, 1] == smooth[1, 0]
    assert smooth[0, 2] != smooth[1, 2]
    assert smooth[2].tolist() == [-1, -1, -1]  # no normals in the file: flat, as the specification says


def test_draco_meshes_are_decoded(tmp_path):
    pytest.importorskip("DracoPy")
    asset = loaded(draco_quad(), tmp_path)
    assert asset.faces.tolist() == [[0, 1, 2], [1, 3, 2]]
    np.testing.assert_allclose(asset.rest(), QUAD, atol=1e-4)


def test_draco_data_of_another_shape_is_refused(tmp_path):
    pytest.importorskip("DracoPy")
    file = draco_quad()
    ids = file.json["meshes"][0]["primitives"][0]["extensions"]["KHR_draco_mesh_compression"]["attributes"]
    for wrong, words in ((ids["TEXCOORD_0"], "Draco data of 2 numbers for POSITION"), (77, "no Draco data for")):
        ids["POSITION"] = wrong
        with pytest.raises(ValueError, match=words):
            loaded(file, tmp_path)
    file.blob[20:30] = b"x" * 10
    with pytest.raises(ValueError, match="Draco"):
        loaded(file, tmp_path)


def test_meshopt_buffers_are_decoded(tmp_path):
    meshopt = pytest.importorskip("meshoptimizer")
    file = File()
    packed = {"positions": meshopt.encode_vertex_buffer(np.float32(QUAD), 4, 12), "indices":
              meshopt.encode_index_buffer(np.uint32([0, 1, 2, 1, 3, 2]), 6, 4)}
    views = {name: file.view(bytes(data)) for name, data in packed.items()}
    for name, view, count, stride, mode in (("positions", 0, 4, 12, "ATTRIBUTES"), ("indices", 1, 6, 2, "TRIANGLES")):
        where = file.json["bufferViews"][views[name]]
        extension = {**where, "byteStride": stride, "count": count, "mode": mode}
        file.json["bufferViews"][view] = {"buffer": 0, "byteLength": count * stride,
                                          "extensions": {"EXT_meshopt_compression": extension}}
    positions = file.add("accessors", {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"})
    indices = file.add("accessors", {"bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR"})
    file.json["extensionsRequired"] = ["EXT_meshopt_compression"]
    file.node(mesh=file.mesh({"attributes": {"POSITION": positions}, "indices": indices}))
    asset = loaded(file, tmp_path)
    np.testing.assert_allclose(asset.rest(), QUAD)
    assert sorted(map(sorted, asset.faces.tolist())) == [[0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize(("name", "package"), [("draco", "DracoPy"), ("meshopt", "meshoptimizer")])
def test_without_a_decoder_the_refusal_names_it(name, package, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    file = moving_triangle()
    if name == "draco":
        compressed(file, file.primitive(), {"bufferView": 0, "attributes": {"POSITION": 0}})  # beside a part that is sound
    else:
        extension = {"buffer": 0, "byteLength": 9, "byteStride": 12, "count": 3, "mode": "ATTRIBUTES"}
        file.json["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": extension}
    with pytest.raises(ValueError, match=f"a.glb: .* not installed: pip install {package}"):
        loaded(file, tmp_path)


def test_json_written_loosely_is_read(tmp_path):
    # A byte order mark, spaces before the brace, and whole numbers written as 3.0: all seen in the wild.
    text = json.dumps(json.loads(moving_triangle().gltf())).replace('"count": 3', '"count": 3.0')
    (tmp_path / "a.gltf").write_bytes(b"\xef\xbb\xbf  " + text.encode())
    assert len(load_asset(tmp_path / "a.gltf").faces) == 1

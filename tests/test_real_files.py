"""What exporters write beyond the well-formed: a bad part costs itself, and is named; what is unsafe costs the file."""

import json
import struct

import numpy as np
import pytest
from gltf_files import QUAD, TRIANGLE, File, encoded, moving_triangle

from puppetmaster_core.assets import AssetError, load_asset
from puppetmaster_core.assets.gltf import Limits
from puppetmaster_core.render import Camera, render


def beside(change=None, **attributes) -> File:
    """The moving triangle, and a second primitive of its mesh that `change` may damage."""
    file = moving_triangle()
    side = file.primitive(**attributes)
    if change is not None:
        change(file, side)
    file.json["meshes"][0]["primitives"].append(side)
    return file


def accessor(file, count, kind="VEC3", code=5126):
    return file.add("accessors", {"componentType": code, "count": count, "type": kind})


@pytest.mark.parametrize(("change", "words"), [
    (lambda f, p: p["attributes"].update(POSITION=accessor(f, 0)), "primitive 1 of mesh 0 is left out: count of accessor"),
    (lambda f, p: p.update(indices=accessor(f, 0, "SCALAR", 5123)), "primitive 1 of mesh 0 is left out: count of accessor"),
    (lambda f, p: p.update(indices=f.accessor([0, 1, 9], "u2")), "triangle at vertex 9 of 3"),
    (lambda f, p: p["attributes"].update(POSITION=99), "accessors[99]"),
    (lambda f, p: p.update(indices=f.accessor([0, 1], "u2")), "has no triangles: left out"),
    (lambda f, p: f.json["accessors"][p["attributes"]["POSITION"]].update(bufferView=77), "bufferViews[77]"),
    (lambda f, p: f.json["accessors"][p["attributes"]["POSITION"]].update(count=300), "needs 3,600 bytes"),
    (lambda f, p: f.node(mesh=5), "the mesh of node 1 is left out: node 1 asks for meshes[5]"),
    (lambda f, p: f.node(parent=f.node(scale=[1e300] * 3), scale=[1e300] * 3, mesh=f.mesh()), "not finite: left out"),
    (lambda f, p: f.json["nodes"][0].update(children=[7]), "a node of node 0 is left out: node 0 asks for nodes[7]"),
    (lambda f, p: f.json["scenes"][0]["nodes"].append(7), "a node of scene 0 is left out"),
    (lambda f, p: f.node(skin=0, mesh=f.mesh(f.primitive(JOINTS_0=f.accessor([[0, 0, 0, 0]] * 3, "u1"),
                                                          WEIGHTS_0=[[1, 0, 0, 0]] * 3))), "skins[0]"),
])
def test_a_bad_part_beside_a_sound_one_costs_itself(change, words, tmp_path):
    asset = load_asset(beside(change).write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.vertices(0, 1)[:3], np.add(TRIANGLE, [2, 0, 0]))
    assert any(words in line for line in asset.report), asset.report
    assert "part left out" in asset.notes
    assert len(asset.faces) <= 2


@pytest.mark.parametrize("name", ["TEXCOORD_0", "TEXCOORD_1", "NORMAL", "COLOR_0"])
@pytest.mark.parametrize("count", [0, 2])
def test_an_attribute_that_is_too_short_costs_itself(name, count, tmp_path):
    kind = "VEC2" if name.startswith("TEX") else "VEC3"
    file = beside(lambda f, p: p["attributes"].update({name: accessor(f, count, kind)}))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert len(asset.faces) == 2 and asset.colors is None and asset.smooth is None
    assert asset.report[0].startswith(f"{name} of primitive 1 of mesh 0 is left out: ")


def test_a_short_morph_target_costs_itself(tmp_path):
    file = beside()
    file.json["meshes"][0]["primitives"][1]["targets"] = [{"POSITION": file.accessor([[0, 0, 1]] * 2)}]
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert asset.notes == ["motion left out"] and "morph target 0 of primitive 1" in asset.report[0]


@pytest.mark.parametrize(("change", "words"), [
    (lambda f, c, s: c.append({"sampler": 0, "target": {"node": 9, "path": "scale"}}), "nodes[9]"),
    (lambda f, c, s: c.append({"sampler": 9, "target": {"node": 0, "path": "scale"}}), "asks for sampler 9"),
    (lambda f, c, s: (s.append({**s[0], "interpolation": "SMOOTH"}),
                      c.append({"sampler": 1, "target": {"node": 0, "path": "scale"}})), "interpolates by 'SMOOTH'"),
    (lambda f, c, s: (s.append({"input": accessor(f, 0, "SCALAR"), "output": s[0]["output"]}),
                      c.append({"sampler": 1, "target": {"node": 0, "path": "scale"}})), "count of accessor"),
])
def test_a_bad_channel_costs_itself(change, words, tmp_path):
    file = moving_triangle()
    change(file, file.json["animations"][0]["channels"], file.json["animations"][0]["samplers"])
    asset = load_asset(file.write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))
    assert asset.notes == ["motion left out"] and words in asset.report[0]


def test_where_nothing_moving_is_left_the_file_is_refused_with_the_first_cause(tmp_path):
    # What stands still is sound; what moved is not.
    file = moving_triangle()
    file.node(mesh=file.mesh(file.primitive()))
    file.json["meshes"][0]["primitives"][0]["indices"] = file.accessor([0, 1, 9], "u2")
    with pytest.raises(AssetError, match="triangle at vertex 9 of 3"):
        load_asset(file.write(tmp_path / "a.glb"))


def test_a_part_that_asks_for_too_much_costs_the_file(tmp_path):
    file = beside(lambda f, p: p["attributes"].update(POSITION=accessor(f, 2_000_000)))
    with pytest.raises(AssetError, match="at most 10,000,000 are given"):
        load_asset(file.write(tmp_path / "a.glb"), Limits(decoded_bytes=10_000_000))


def test_primitives_that_share_a_vertex_buffer_and_leave_vertices_unused_are_drawn(tmp_path):
    # 200 triangles of one buffer of 600 vertices, one primitive each, with normals: as many exporters write a mesh.
    corners = np.random.default_rng(0).uniform(-1, 1, (600, 3))
    file = File()
    position, normal = file.accessor(corners), file.accessor(np.tile([0, 0, 1], (600, 1)))
    shared = {"POSITION": position, "NORMAL": normal}
    primitives = [{"attributes": shared, "indices": file.accessor(3 * i + np.arange(3), "u2")} for i in range(200)]
    node = file.node(mesh=file.mesh(*primitives))
    file.animation((node, "translation", [0, 1], [[0, 0, 0], [2, 0, 0]]))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.rest()[asset.faces], np.float32(corners).reshape(200, 3, 3))
    assert len(asset.rest()) == 600 and asset.report == []
    drawn = render(asset, asset.rest()[None], Camera(0, 0, 6.0), 32)
    assert len(np.unique(drawn.face)) > 20


def test_an_unused_tail_of_vertices_is_no_hindrance(tmp_path):
    file = File()
    points = [*QUAD, *np.random.default_rng(1).uniform(size=(3, 3)).tolist()]
    node = file.node(mesh=file.mesh(file.primitive(points, [0, 1, 2], NORMAL=np.eye(3)[[2, 0, 1, 0, 1, 2, 2]])))
    file.animation((node, "translation", [0, 1], [[0, 0, 0], [2, 0, 0]]))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert (render(asset, asset.rest()[None], Camera(0, 0, 4.0), 16).face >= 0).any()


# ---- what lies beside the file, or in its text ---------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["data\\the.bin", "data/../data/the.bin", "./data//the.bin", "data%5Cthe.bin", "data/./the.bin"])
def test_names_as_exporters_write_them_are_found(uri, tmp_path):
    file = moving_triangle()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "the.bin").write_bytes(file.blob)
    (tmp_path / "a.gltf").write_bytes(file.gltf(uri))
    np.testing.assert_allclose(load_asset(tmp_path / "a.gltf").vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))


@pytest.mark.parametrize("uri", ["data\\..\\..\\secret.bin", "data/../../secret.bin", "\\secret.bin", "..%5Csecret.bin",
                                 "C:\\secret.bin"])
def test_steps_up_and_down_never_lead_out(uri, tmp_path):
    # Refused even though a sound part moves beside: such a file wants what is not its own.
    file, inside = moving_triangle(), tmp_path / "asset"
    (inside / "data").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(file.blob)
    stolen = json.loads(file.gltf())
    stolen["buffers"].append({"byteLength": 36, "uri": uri})
    stolen["bufferViews"].append({"buffer": 1, "byteLength": 36})
    stolen["accessors"].append({"bufferView": len(stolen["bufferViews"]) - 1, "componentType": 5126, "count": 3, "type": "VEC3"})
    stolen["meshes"][0]["primitives"].append({"attributes": {"POSITION": len(stolen["accessors"]) - 1}})
    (inside / "a.gltf").write_text(json.dumps(stolen))
    with pytest.raises(AssetError, match=r"buffer 1 wants .*own folder"):
        load_asset(inside / "a.gltf")


@pytest.mark.parametrize("change", [lambda text: "\n".join(text[i:i + 76] for i in range(0, len(text), 76)),
                                    lambda text: text.rstrip("="), lambda text: text.rstrip("=") + "\r\n"])
def test_base64_with_newlines_or_without_padding(change, tmp_path):
    file = moving_triangle()
    file.view(b"xy")  # so that the text ends in "="
    record = json.loads(file.gltf())
    head, _, body = record["buffers"][0]["uri"].partition(",")
    assert body.endswith("=")
    record["buffers"][0]["uri"] = f"{head},{change(body)}"
    (tmp_path / "a.gltf").write_text(json.dumps(record))
    np.testing.assert_allclose(load_asset(tmp_path / "a.gltf").vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))


def test_a_git_lfs_pointer_beside_the_file_is_called_that(tmp_path):
    file = moving_triangle()
    (tmp_path / "a.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (tmp_path / "a.gltf").write_bytes(file.gltf("a.bin"))
    with pytest.raises(AssetError, match=r"buffer 0 is 'a\.bin', a Git LFS pointer"):
        load_asset(tmp_path / "a.gltf")


def unpadded(spaces: int, trailing: int, counts_padding: bool) -> bytes:
    """A .glb whose JSON has `spaces` behind it, its BIN chunk `trailing` bytes, both without padding."""
    file = moving_triangle()
    text, blob = json.dumps(file.json).encode() + b" " * spaces, bytes(file.blob) + bytes(trailing)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(blob), 0x004E4942) + blob
    length = 12 + len(chunks) + ((-len(text) % 4 + -len(blob) % 4) if counts_padding else 0)
    return b"glTF" + struct.pack("<II", 2, length) + chunks


@pytest.mark.parametrize("spaces", range(4))
@pytest.mark.parametrize("trailing", [0, 1])
@pytest.mark.parametrize("counts_padding", [False, True])
def test_chunks_without_padding_are_read_with_a_note(spaces, trailing, counts_padding, tmp_path):
    data = unpadded(spaces, trailing, counts_padding)
    size = struct.unpack_from("<I", data, 12)[0]
    (tmp_path / "a.glb").write_bytes(data)
    asset = load_asset(tmp_path / "a.glb")
    np.testing.assert_allclose(asset.vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))
    odd = size % 4 or trailing % 4
    assert asset.report == (["has a chunk whose length is no multiple of 4: read as it stands"] if odd else [])


def test_chunks_whose_padding_is_not_counted_are_read_as_ever(tmp_path):
    file = moving_triangle()
    text, blob = json.dumps(file.json).encode(), bytes(file.blob)
    text += b" " * ((1 - len(text)) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + bytes(3) + struct.pack("<II", len(blob), 0x004E4942) + blob
    (tmp_path / "a.glb").write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
    np.testing.assert_allclose(load_asset(tmp_path / "a.glb").rest(), TRIANGLE)


def test_a_picture_without_a_way_to_read_it_is_marked_as_lost(tmp_path):
    file = moving_triangle()
    primitive = file.json["meshes"][0]["primitives"][0]
    primitive["attributes"]["TEXCOORD_0"] = file.accessor([[0, 0]] * 3)
    primitive["material"] = file.add("materials", {"pbrMetallicRoughness": {
        "baseColorTexture": {"index": file.picture([[[1, 2, 3]]])}}})
    file.json["images"][0] = {"bufferView": file.view(encoded([[[1, 2, 3]]])[:40])}
    assert load_asset(file.write(tmp_path / "a.glb")).notes == ["texture lost"]

"""Damaged and hostile files: a bad part costs itself and is named, what is unsafe costs the file, and never much memory."""

import json
import random
import struct
import tracemalloc

import numpy as np
import pytest
from gltf_damage import damaged, survives
from gltf_files import QUAD, TRIANGLE, File, encoded, everything, looks, moving_triangle
from hypothesis import given, settings
from hypothesis import strategies as st

from puppetmaster_core.assets import AssetError, load_asset
from puppetmaster_core.assets.gltf import Limits
from puppetmaster_core.render import Camera, render

ZEROS = {"componentType": 5126, "type": "VEC3"}  # an accessor without bytes holds zeros, and costs the file nothing


def refusal(data: bytes, tmp_path) -> str:
    """The one line that refuses a file, without the file's name."""
    path = tmp_path / "bad.glb"
    path.write_bytes(data)
    with pytest.raises(AssetError) as error:
        load_asset(path)
    assert str(error.value).startswith(f"{str(path)[-200:]}: ") and "\n" not in str(error.value)
    return str(error.value)[len(str(path)) + 2:]


def changed(change) -> bytes:
    """The moving triangle with something done to it."""
    file = moving_triangle()
    change(file)
    return file.glb()


# ---- refused -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "words"), [
    (b"", "begins with b''"),
    (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
    (b"glTF\2\0\0\0", "got a .glb of 8 bytes, expected at least 20 bytes: it is truncated"),
    (everything().glb()[:-100], "it is truncated"),
    (b"{not json", "JSON that cannot be read"),
    (b'{"asset": {"version": "2.0"}, "x": ' + b"[" * 100_000, "JSON that cannot be read"),
    (b"{}" + b"," * 4_000_000, "items of JSON: got 4,000,001, expected at most 3,000,000"),
    (b'{"asset": {"version": "2.0", "extras": ' + b'{"a": ' * 900 + b"{}" + b"}" * 900 + b"}}", "shows no triangles"),
])
def test_what_is_no_glb_is_named(data, words, tmp_path):
    assert words in refusal(data, tmp_path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path, words in ((tmp_path / "no.glb", "cannot be opened"), (tmp_path, "an ordinary file"), ("a\0b", "an ordinary file")):
        with pytest.raises(AssetError, match=words):
            load_asset(path)


def _cycle(f):
    f.json["nodes"] += [{"children": [2]}, {"children": [1]}]


def _overflow(f):
    f.json["nodes"] = [{**f.json["nodes"][0], "scale": [1e300] * 3}, {"children": [0], "scale": [1e300] * 3}]
    f.json["scenes"][0]["nodes"] = [1]


@pytest.mark.parametrize(("change", "words"), [
    (_cycle, "got 2 nodes in a cycle, expected a tree"),
    (lambda f: f.json["nodes"].extend([{"children": [0]}, {"children": [0]}]), "node 0 below node 1 and node 2"),
    (lambda f: f.json["nodes"][0].update(mesh="0"), "mesh of node 0: got '0', expected a whole number"),
    (lambda f: f.json["meshes"][0]["primitives"][0].update(indices=0), "got VEC3 in accessor 0, expected SCALAR"),
    (lambda f: f.json["accessors"][0].update(count=4), "got 36 bytes in bufferView 0, expected 48 (12 each, stride 12)"),
    (lambda f: f.json["animations"][0]["samplers"][0].update(interpolation="SMOOTH"), "got 'SMOOTH', expected one of"),
    (_overflow, "places that are not finite"),
    (lambda f: f.json.update(extensionsRequired=["EXT_mesh_of_mine"]), "requires 'EXT_mesh_of_mine'"),
])
def test_a_file_of_which_nothing_moving_is_left_is_refused_with_the_cause(change, words, tmp_path):
    assert words in refusal(changed(change), tmp_path)


def test_what_stands_still_does_not_save_a_file_whose_moving_part_is_bad(tmp_path):
    file = moving_triangle()
    file.node(mesh=file.mesh(file.primitive()))
    file.json["meshes"][0]["primitives"][0]["indices"] = file.accessor([0, 1, 9], "u2")
    assert "got a triangle at vertex 9, expected one of 3: the file is damaged, export it again" in refusal(file.glb(), tmp_path)


def _absurd(f):
    f.json["accessors"][0] = {**ZEROS, "count": 357_913_941}  # 4 GB of zeros in a file of 1 kB


def _many_instances(f):
    f.json["accessors"][0] = {**ZEROS, "count": 100_000}
    f.json["nodes"] += [{"mesh": 0} for _ in range(200)]
    f.json["scenes"][0]["nodes"] = list(range(201))


def _many_keys(f):
    times = f.add("accessors", {"componentType": 5126, "type": "SCALAR", "count": 1_000_000})
    f.json["animations"][0]["samplers"][0]["input"] = times
    f.json["animations"] *= 200


def _beside_a_sound_part(f):
    f.json["meshes"][0]["primitives"].append({"attributes": {"POSITION": f.add("accessors", {**ZEROS, "count": 5_000_000})}})


@pytest.mark.parametrize(("change", "words"), [
    (_absurd, "got 357,913,941, expected at most 9,999,999: .*Limits.vertices"),
    (_many_instances, "expected at most 100,000,000: .*Limits.decoded_bytes"),
    (_many_keys, "expected at most 100,000,000"),
    (_beside_a_sound_part, "expected at most 100,000,000"),
    (lambda f: f.json.update(nodes=[{}] * 100_001), "nodes: got 100,001"),
])
def test_small_files_that_ask_for_much_get_little(change, words, tmp_path):
    # Bounded by the budget of 1 GiB; here it is 100 MB, so that the test stays small. Twice that covers what is not counted.
    (tmp_path / "bad.glb").write_bytes(changed(change))
    tracemalloc.start()
    try:
        with pytest.raises(AssetError, match=words):
            load_asset(tmp_path / "bad.glb", Limits(decoded_bytes=100_000_000))
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


# ---- left out or mended, and named ---------------------------------------------------------------------------------------


def beside(change=None) -> File:
    """The moving triangle, and a second primitive of its mesh that `change` may damage."""
    file = moving_triangle()
    side = file.primitive()
    if change is not None:
        change(file, side)
    file.json["meshes"][0]["primitives"].append(side)
    return file


def accessor(file, count, kind="VEC3", code=5126):
    return file.add("accessors", {"componentType": code, "count": count, "type": kind})


@pytest.mark.parametrize(("change", "words"), [
    (lambda f, p: p["attributes"].update(POSITION=accessor(f, 0)), "primitive 1 of mesh 0 is left out: count of accessor"),
    (lambda f, p: p.update(indices=f.accessor([0, 1, 9], "u2")), "primitive 1 of mesh 0 is left out: got a triangle at vertex 9"),
    (lambda f, p: p.update(indices=f.accessor([0, 1], "u2")), "got no triangles"),
    (lambda f, p: p.update(mode=1), "got points or lines, expected triangles"),
    (lambda f, p: f.node(mesh=5), "the mesh of node 1 is left out: node 1: got meshes[5]"),
    (lambda f, p: f.node(parent=f.node(scale=[1e300] * 3), scale=[1e300] * 3, mesh=f.mesh()), "not finite: left out"),
    (lambda f, p: f.node(skin=0, mesh=f.mesh(f.primitive(JOINTS_0=f.accessor([[0, 0, 0, 0]] * 3, "u1"),
                                                          WEIGHTS_0=[[1, 0, 0, 0]] * 3))), "skins[0]"),
])
def test_a_bad_part_beside_a_sound_one_costs_itself(change, words, tmp_path):
    asset = load_asset(beside(change).write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.vertices(0, 1)[:3], np.add(TRIANGLE, [2, 0, 0]))
    assert any(words in line for line in asset.report), asset.report
    assert "part left out" in asset.notes and len(asset.faces) <= 2


@pytest.mark.parametrize("name", ["TEXCOORD_0", "NORMAL", "COLOR_0"])
def test_an_attribute_that_is_too_short_costs_itself(name, tmp_path):
    file = beside(lambda f, p: p["attributes"].update({name: accessor(f, 2, "VEC2" if name.startswith("TEX") else "VEC3")}))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert len(asset.faces) == 2 and asset.colors is None and asset.smooth is None
    assert asset.report[0].startswith(f"{name} of primitive 1 of mesh 0 is left out: ")


@pytest.mark.parametrize(("change", "words"), [
    (lambda f, c, s: c.append({"sampler": 0, "target": {"node": 9, "path": "scale"}}), "nodes[9]"),
    (lambda f, c, s: c.append({"sampler": 0, "target": {"path": "pointer"}}), "got 'pointer'"),
    (lambda f, c, s: c.append({"sampler": 0, "target": {"node": 0, "path": "weights"}}), "got 'weights' of node 0"),
    (lambda f, c, s: (s.append({"input": accessor(f, 0, "SCALAR"), "output": s[0]["output"]}),
                      c.append({"sampler": 1, "target": {"node": 0, "path": "scale"}})), "count of accessor"),
])
def test_a_bad_channel_costs_itself(change, words, tmp_path):
    file = moving_triangle()
    change(file, file.json["animations"][0]["channels"], file.json["animations"][0]["samplers"])
    asset = load_asset(file.write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))
    assert asset.notes == ["motion left out"] and words in asset.report[0]


def test_keys_that_are_not_finite_or_out_of_order_are_mended(tmp_path):
    # Of the keys at 1, NaN, 0 and 2 s the second goes and so does the last, whose value is NaN: from 1 at 0 s to 3 at 1 s.
    file = File()
    node = file.node(mesh=file.mesh())
    file.animation((node, "translation", [1, np.nan, 0, 2], [[3, 0, 0], [9, 9, 9], [1, 0, 0], [np.nan, 0, 0]]))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert asset.clips[0].duration == 1 and "not finite or out of order" in asset.report[0]
    np.testing.assert_allclose(asset.vertices(0, 0.5)[0], [2, 0, 0])


def test_vertices_that_are_not_finite_lose_their_triangles(tmp_path):
    file = File()
    file.node(mesh=file.mesh(file.primitive([*TRIANGLE, [np.nan, 0, 0]], [0, 1, 2, 1, 3, 2])))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert asset.faces.tolist() == [[0, 1, 2]] and "1 vertices that are not finite" in asset.report[0]


def skinned(weights, joints=((0, 1, 0, 0),) * 3) -> File:
    """The triangle on two joints, of which the second one stands 2 to the right."""
    file = File()
    nodes = [file.node(), file.node(translation=[2, 0, 0])]
    file.add("skins", {"joints": nodes})
    file.node(mesh=file.mesh(file.primitive(JOINTS_0=file.accessor(joints, "u1"), WEIGHTS_0=weights)), skin=0)
    return file


def test_nan_skin_weights_count_as_nothing_and_the_rest_is_renormalised(tmp_path):
    # (NaN, 0.5): all on joint 1, +2. (0.3, 0.1): 3/4 and 1/4, +0.5. (NaN, −1): nothing is left, the first joint, +0.
    asset = load_asset(skinned([[np.nan, 0.5, 0, 0], [0.3, 0.1, 0, 0], [np.nan, -1, 0, 0]]).write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.rest()[:, 0], np.add([0, 1, 0], [2, 0.5, 0]), atol=1e-6)
    assert "3 skin weights" in asset.report[0] and "1 vertices without any skin weight" in asset.report[1]


def test_a_joint_that_is_not_there_is_refused_where_it_counts(tmp_path):
    joints = [[0, 9, 0, 0]] * 3
    asset = load_asset(skinned([[1, 0, 0, 0]] * 3, joints).write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.rest(), TRIANGLE)
    assert "got joint 9, expected one of the 2" in refusal(skinned([[0.5, 0.5, 0, 0]] * 3, joints).glb(), tmp_path)


def test_a_missing_texture_costs_its_texture(tmp_path):
    file = moving_triangle()
    inside = (b"no picture", encoded([[[1, 2, 3]]])[:45], encoded(np.zeros((2, 40, 3))))
    pictures = [{"bufferView": file.view(data)} for data in inside]
    pictures += [{"uri": "lost.png"}, {"uri": "../x.png"}, {"bufferView": 99}]
    primitives = file.json["meshes"][0]["primitives"]
    primitives[0]["attributes"]["TEXCOORD_0"] = file.accessor([[0, 0]] * 3)
    for picture in [*pictures, None]:
        texture = file.add("textures", {} if picture is None else {"source": file.add("images", picture)})
        colors = {"baseColorTexture": {"index": texture}, "baseColorFactor": [1, 0, 0, 1]}
        primitives.append({**primitives[0], "material": file.add("materials", {"pbrMetallicRoughness": colors})})
    primitives.append({**primitives[0], "material": 50})
    asset = load_asset(file.write(tmp_path / "a.glb"), Limits(texture_pixels=50))
    assert asset.notes == ["texture lost"] and all(material.texture is None for material in asset.materials)
    assert [asset.materials[m].color for m in asset.material[1:-1]] == [(1, 0, 0)] * 7
    for words in ("No such file", "expected a PNG", "image 1 cannot be decoded", "own folder", "bufferViews[99]",
                  "image 2: got 40 × 2 pixels", "names no picture", "materials[50]"):
        assert any(words in line for line in asset.report), (words, asset.report)


def test_clips_of_no_length_several_clips_and_names_twice(tmp_path):
    file = moving_triangle()
    file.animation((0, "translation", [0], [[5, 0, 0]]), name="move")
    file.animation(name="")
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert [(c.name, c.duration) for c in asset.clips] == [("move", 1), ("move (2)", 0), ("animation 2", 0)]
    np.testing.assert_allclose(asset.vertices("move (2)", 0)[0], [5, 0, 0])
    assert [line.split(" lasts")[0] for line in asset.report] == ["animation 'move (2)'", "animation 'animation 2'"]
    del file.json["animations"]
    assert load_asset(file.write(tmp_path / "b.glb")).report == ["no animation in the file: nothing moves"]


def test_primitives_that_share_a_vertex_buffer_and_leave_vertices_unused_are_drawn(tmp_path):
    # 200 triangles of one buffer of 600 vertices, one primitive each, with normals: as many exporters write a mesh.
    corners = np.random.default_rng(0).uniform(-1, 1, (600, 3))
    file = File()
    shared = {"POSITION": file.accessor(corners), "NORMAL": file.accessor(np.tile([0, 0, 1], (600, 1)))}
    primitives = [{"attributes": shared, "indices": file.accessor(3 * i + np.arange(3), "u2")} for i in range(200)]
    node = file.node(mesh=file.mesh(*primitives, file.primitive([*QUAD, *QUAD], [0, 1, 2], NORMAL=np.eye(3)[[2, 0, 1, 0] * 2])))
    file.animation((node, "translation", [0, 1], [[0, 0, 0], [2, 0, 0]]))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.rest()[asset.faces[:200]], np.float32(corners).reshape(200, 3, 3))
    assert len(asset.rest()) == 600 + 3 and asset.report == []
    assert len(np.unique(render(asset, asset.rest()[None], Camera(0, 0, 6.0), 32).face)) > 20


# ---- what lies beside the file, or in its text ---------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["data\\the%20bin", "data/../data/the bin", "./data//the bin", "data%5Cthe bin"])
def test_names_as_exporters_write_them_are_found(uri, tmp_path):
    file = moving_triangle()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "the bin").write_bytes(file.blob)
    (tmp_path / "a.gltf").write_bytes(file.gltf(uri))
    np.testing.assert_allclose(load_asset(tmp_path / "a.gltf").vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))


@pytest.mark.parametrize("uri", [
    "../secret.bin", "/etc/hostname", "%2e%2e/secret.bin", "a/../../secret.bin", "file:///etc/hostname", "http://127.0.0.1/x.bin",
    "C:\\x.bin", "..\\secret.bin", "\\secret.bin", "..%5Csecret.bin", "link.bin", "folder/secret.bin", "a\nb", "a%00b"])
def test_nothing_outside_the_folder_is_ever_read(uri, tmp_path):
    # Refused even though a sound part moves beside: such a file wants what is not its own.
    file, inside = moving_triangle(), tmp_path / "asset"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(file.blob)
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "folder").symlink_to(tmp_path)
    stolen = json.loads(file.gltf())
    stolen["buffers"].append({"byteLength": 36, "uri": uri})
    stolen["bufferViews"].append({"buffer": 1, "byteLength": 36})
    stolen["accessors"].append({"bufferView": len(stolen["bufferViews"]) - 1, "componentType": 5126, "count": 3, "type": "VEC3"})
    stolen["meshes"][0]["primitives"].append({"attributes": {"POSITION": len(stolen["accessors"]) - 1}})
    (inside / "a.gltf").write_text(json.dumps(stolen))
    with pytest.raises(AssetError, match=r"buffer 1: got .*own folder"):
        load_asset(inside / "a.gltf")


def test_buffers_that_are_missing_short_or_no_base64_are_named(tmp_path):
    file = moving_triangle()
    (tmp_path / "short.bin").write_bytes(file.blob[:50])
    (tmp_path / "lfs.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    for uri, words in (("none.bin", "cannot be read"), ("short.bin", "buffer 0: got 50 bytes"), ("data:;base64,?", "not base64"),
                       ("data:x", "with a comma"), ("lfs.bin", "Git LFS pointer")):
        (tmp_path / "a.gltf").write_bytes(file.gltf(uri))
        with pytest.raises(AssetError, match=words):
            load_asset(tmp_path / "a.gltf")


@pytest.mark.parametrize("change", [lambda text: "\n".join(text[i:i + 76] for i in range(0, len(text), 76)),
                                    lambda text: text.rstrip("=") + "\r\n"])
def test_base64_with_newlines_or_without_padding(change, tmp_path):
    file = moving_triangle()
    file.view(b"xy")  # so that the text ends in "="
    record = json.loads(file.gltf())
    head, _, body = record["buffers"][0]["uri"].partition(",")
    record["buffers"][0]["uri"] = f"{head},{change(body)}"
    (tmp_path / "a.gltf").write_text(json.dumps(record))
    np.testing.assert_allclose(load_asset(tmp_path / "a.gltf").vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))


@pytest.mark.parametrize("spaces", range(4))
@pytest.mark.parametrize(("trailing", "counts_padding"), [(0, False), (1, False), (1, True)])
def test_chunks_without_padding_are_read_with_a_note(spaces, trailing, counts_padding, tmp_path):
    file = moving_triangle()
    text, blob = json.dumps(file.json).encode() + b" " * spaces, bytes(file.blob) + bytes(trailing)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(blob), 0x004E4942) + blob
    length = 12 + len(chunks) + ((-len(text) % 4 + -len(blob) % 4) if counts_padding else 0)
    (tmp_path / "a.glb").write_bytes(b"glTF" + struct.pack("<II", 2, length) + chunks)
    asset = load_asset(tmp_path / "a.glb")
    np.testing.assert_allclose(asset.vertices(0, 1), np.add(TRIANGLE, [2, 0, 0]))
    assert asset.notes == (["file"] if len(text) % 4 or trailing % 4 else [])


# ---- fuzzing -------------------------------------------------------------------------------------------------------------


def _nested(f):
    f.json["animations"][0]["samplers"][0]["interpolation"] = {str(i): [[{"a": "b" * 99}] * 9] * 9 for i in range(9)}


def _huge_matrix(f):
    f.json["nodes"][0]["matrix"] = [1e300] * 16


def _signalling_nan(f):
    f.blob[0:4] = b"\1\0\x80\x7f"


def _smooth_and_huge(f):
    f.json["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = f.accessor([[3e38] * 3] * 3)


def _deep_chain(f):
    f.json["nodes"] += [{"children": [i + 2]} for i in range(3000)] + [{"mesh": 0}]
    f.json["scenes"][0]["nodes"].append(1)


@pytest.mark.parametrize(("change", "read"), [
    (_nested, False), (_huge_matrix, False), (_signalling_nan, False), (_smooth_and_huge, True), (_deep_chain, True)])
def test_what_fuzzing_found(change, read, tmp_path):
    # Each once broke the reader, gave a warning from numpy, or an error of a thousand characters.
    assert survives(tmp_path / "a.glb", changed(change)) is read


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_damage_ends_in_an_asset_or_in_one_error(seed, tmp_path_factory):
    seeds = (everything().glb(), looks().glb())
    survives(tmp_path_factory.getbasetemp() / "fuzz.glb", damaged(seeds[seed % 2], random.Random(seed)))

"""Damaged and hostile files: one clear error for that file, or a mended asset with a report, and never much memory."""

import random
import struct
import tracemalloc

import numpy as np
import pytest
from gltf_damage import damaged, survives
from gltf_files import TRIANGLE, TURN_Z, File, encoded, everything, looks, moving_triangle
from hypothesis import given, settings
from hypothesis import strategies as st

from puppetmaster_core.assets import AssetError, load_asset
from puppetmaster_core.assets.gltf import Limits

ZEROS = {"componentType": 5126, "type": "VEC3"}  # an accessor without bytes holds zeros, and costs the file nothing


def refusal(data: bytes, tmp_path) -> str:
    path = tmp_path / "bad.glb"
    path.write_bytes(data)
    with pytest.raises(AssetError) as error:
        load_asset(path)
    assert str(error.value).startswith(str(path)[-200:] + ": ")
    assert "\n" not in str(error.value)
    return str(error.value)[len(str(path)) + 2:]


def changed(change) -> bytes:
    """The moving triangle with something done to it."""
    file = moving_triangle()
    change(file)
    return file.glb()


@pytest.mark.parametrize(("data", "words"), [
    (b"", "begins with b''"),
    (b"PK\3\4 a zip", "begins with b'PK"),
    (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
    (b"glTF\2\0\0\0", "has 8 bytes, a .glb at least 20: it is truncated"),
    (b"glTF" + struct.pack("<IIII", 1, 20, 0, 0), "glTF version 1, wanted 2"),
    (moving_triangle().glb()[:-100], "it is truncated"),
    (b"{not json", "JSON that cannot be read"),
    (b'{"asset": {"version": "2.0"}, "x": ' + b"[" * 100_000, "JSON that cannot be read"),
    (b'{"asset": {"version": "2.0"}, "x": ' + b"9" * 5000 + b"}", "JSON that cannot be read"),
    (b'{"asset": {"version": "1.0"}}', "says it is glTF version '1.0'"),
    (b'{"asset": {"version": "2.0"}}', "shows no triangles"),
    (b"{}" + b"," * 4_000_000, "JSON of 4,000,001 items"),
    (b'{"asset": {"version": "2.0", "extras": ' + b'{"a": ' * 900 + b"{}" + b"}" * 900 + b"}}", "shows no triangles"),
])
def test_what_is_no_glb_is_named(data, words, tmp_path):
    assert words in refusal(data, tmp_path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    places = {tmp_path / "no.glb": "cannot be opened", tmp_path: "not an ordinary file", "a\0b": "no file can have"}
    for path, words in places.items():
        with pytest.raises(AssetError, match=words):
            load_asset(path)


def _cycle(f):
    f.json["nodes"] += [{"children": [2]}, {"children": [1]}]


def _overflow(f):
    f.json["nodes"] = [{**f.json["nodes"][0], "scale": [1e300] * 3}, {"children": [0], "scale": [1e300] * 3}]
    f.json["scenes"][0]["nodes"] = [1]


@pytest.mark.parametrize(("change", "words"), [
    (_cycle, "2 nodes hang from each other in a cycle"),
    (lambda f: f.json["nodes"][0].update(children=[0]), "1 nodes hang from each other in a cycle"),
    (lambda f: f.json["nodes"].extend([{"children": [0]}, {"children": [0]}]), "node 0 hangs from node 1 and from node 2"),
    (lambda f: f.json["nodes"][0].update(mesh=3), "node 0 asks for meshes[3]"),
    (lambda f: f.json["nodes"][0].update(mesh=-1), "mesh of node 0 is -1, wanted a whole number"),
    (lambda f: f.json["nodes"][0].update(mesh="0"), "mesh of node 0 is '0', wanted a whole number"),
    (lambda f: f.json["nodes"][0].update(translation=[1, 2]), "translation of node 0 is [1, 2], wanted 3 numbers"),
    (lambda f: f.json["scenes"][0].update(nodes=[5]), "scene 0 asks for nodes[5]"),
    (lambda f: f.json.update(scene=4), "the file asks for scenes[4]"),
    (lambda f: f.json.update(nodes={"a": 1}), "nodes of the file is {'a': 1}, wanted a list of objects"),
    (lambda f: f.json["meshes"][0]["primitives"][0].update(indices=f.accessor([0, 1, 3], "u2")), "a triangle at vertex 3 of 3"),
    (lambda f: f.json["meshes"][0]["primitives"][0].update(indices=0), "needs SCALAR, accessor 0 is 'VEC3'"),
    (lambda f: f.json["meshes"][0]["primitives"][0]["attributes"].update(POSITION=99), "asks for accessors[99]"),
    (lambda f: f.json["meshes"][0]["primitives"][0].update(mode=0), "shows no triangles"),
    (lambda f: f.json["accessors"][0].update(count=4), "accessor 0 needs 48 bytes (12 each, stride 12), bufferView 0 has 36"),
    (lambda f: f.json["accessors"][0].update(count=0), "count of accessor 0 is 0"),
    (lambda f: f.json["accessors"][0].update(byteOffset=-12), "byteOffset of accessor 0 is -12"),
    (lambda f: f.json["accessors"][0].update(componentType=5130), "componentType of accessor 0 is 5130"),
    (lambda f: f.json["bufferViews"][0].update(byteStride=4), "needs 20 bytes (12 each, stride 4)"),
    (lambda f: f.json["bufferViews"][0].update(byteLength=10**9), "bufferView 0 ends at byte 1,000,000,000"),
    (lambda f: f.json["buffers"][0].update(byteLength=10**9), "buffer 0 says it has 1,000,000,000 bytes"),
    (lambda f: f.json["animations"][0]["channels"][0]["target"].update(node=9), "asks for nodes[9]"),
    (lambda f: f.json["animations"][0]["channels"][0].update(sampler=9), "asks for sampler 9, there are 1"),
    (lambda f: f.json["animations"][0]["samplers"][0].update(interpolation="SMOOTH"), "interpolates by 'SMOOTH'"),
    (_overflow, "places that are not finite"),
    (lambda f: f.json.update(extensionsRequired=["EXT_mesh_of_mine"]), "requires 'EXT_mesh_of_mine'"),
])
def test_damaged_structures_are_refused_with_the_cause(change, words, tmp_path):
    assert words in refusal(changed(change), tmp_path)


def test_every_truncation_is_refused(tmp_path):
    data = everything().glb()
    for length in range(0, len(data), 97):
        refusal(data[:length], tmp_path)


def _absurd(f):
    f.json["accessors"][0] = {**ZEROS, "count": 357_913_941}  # 4 GB of zeros in a file of 1 kB


def _many_vertices(f):
    f.json["accessors"][0] = {**ZEROS, "count": 10_000_000}


def _many_instances(f):
    f.json["accessors"][0] = {**ZEROS, "count": 100_000}
    f.json["nodes"] += [{"mesh": 0} for _ in range(200)]
    f.json["scenes"][0]["nodes"] = list(range(201))


def _many_targets(f):
    f.json["accessors"].append({**ZEROS, "count": 3})
    f.json["accessors"][0] = {**ZEROS, "count": 200_000}
    f.json["meshes"][0]["primitives"][0]["targets"] = [{} for _ in range(1000)]


def _many_keys(f):
    times = f.add("accessors", {"componentType": 5126, "type": "SCALAR", "count": 1_000_000})
    f.json["animations"][0]["samplers"][0]["input"] = times
    f.json["animations"] *= 200


@pytest.mark.parametrize(("change", "words"), [
    (_absurd, "357,913,941 vertices, at most 9,999,999"),
    (_many_vertices, "10,000,000 vertices, at most 9,999,999"),
    (_many_instances, "at most 100,000,000 are given"),
    (_many_targets, "needs 4,800,000,000 bytes"),
    (_many_keys, "at most 100,000,000 are given"),
    (lambda f: f.json.update(nodes=[{}] * 100_001), "has 100,001 nodes"),
])
def test_small_files_that_ask_for_much_get_little(change, words, tmp_path):
    # Bounded by the budget of 1 GiB; here it is 100 MB, so that the test stays small. Twice that covers what is not counted.
    data = changed(change)
    path = tmp_path / "bad.glb"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(AssetError, match=words):
            load_asset(path, Limits(decoded_bytes=100_000_000))
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("uri", [
    "../secret.bin", "/etc/hostname", "%2e%2e/secret.bin", "a/../../secret.bin", "file:///etc/hostname", "http://127.0.0.1/x.bin",
    "C:\\x.bin", "..\\secret.bin", "link.bin", "folder/secret.bin", "a\nb"])
def test_buffers_outside_the_folder_are_refused(uri, tmp_path):
    file, inside = moving_triangle(), tmp_path / "asset"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(file.blob)
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "folder").symlink_to(tmp_path)
    (inside / "a.gltf").write_bytes(file.gltf(uri))
    with pytest.raises(AssetError, match=r"buffer 0 wants .*folder"):
        load_asset(inside / "a.gltf")


def test_buffers_that_are_missing_short_or_no_base64_are_named(tmp_path):
    file = moving_triangle()
    (tmp_path / "short.bin").write_bytes(file.blob[:50])
    for uri, words in (("none.bin", "cannot be read"), ("short.bin", "buffer 0 says it has"), ("data:;base64,?", "not base64"),
                       ("data:x", "without a comma")):
        (tmp_path / "a.gltf").write_bytes(file.gltf(uri))
        with pytest.raises(AssetError, match=words):
            load_asset(tmp_path / "a.gltf")


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
    assert "3 skin weights that are NaN or negative" in asset.report[0]
    assert "1 vertices without any skin weight" in asset.report[1]


def test_a_joint_that_is_not_there_is_refused_where_it_counts(tmp_path):
    joints = [[0, 9, 0, 0]] * 3
    asset = load_asset(skinned([[1, 0, 0, 0]] * 3, joints).write(tmp_path / "a.glb"))
    np.testing.assert_allclose(asset.rest(), TRIANGLE)
    assert "hangs on joint 9 of a skin of 2" in refusal(skinned([[0.5, 0.5, 0, 0]] * 3, joints).glb(), tmp_path)


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
    assert all(material.texture is None for material in asset.materials)
    assert [asset.materials[m].color for m in asset.material[1:-1]] == [(1, 0, 0)] * 7
    for words in ("No such file", "not a PNG", "picture 1", "own folder", "bufferViews[99]", ": picture 2 has 40 × 2 pixels",
                  "names no picture", "material 50"):
        assert any(words in line for line in asset.report), (words, asset.report)


def test_clips_of_no_length_several_clips_and_names_twice(tmp_path):
    file = moving_triangle()
    file.animation((0, "translation", [0], [[5, 0, 0]]), name="move")
    file.animation(name="")
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert [(c.name, c.duration) for c in asset.clips] == [("move", 1), ("move (2)", 0), ("animation 2", 0)]
    np.testing.assert_allclose(asset.vertices("move (2)", 0)[0], [5, 0, 0])
    assert [line for line in asset.report if "lasts 0 s" in line] == [
        "animation 'move (2)' lasts 0 s: nothing moves in it", "animation 'animation 2' lasts 0 s: nothing moves in it"]


def test_a_file_without_animation_says_so(tmp_path):
    file = File()
    file.node(mesh=file.mesh())
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert asset.clips == []
    assert asset.report == ["no animation in the file: nothing moves"]


def test_keys_that_are_not_finite_or_out_of_order_are_mended(tmp_path):
    # Of the keys at 1, NaN, 0 and 2 s the second goes and so does the last, whose value is NaN: from 1 at 0 s to 3 at 1 s.
    file = File()
    node = file.node(mesh=file.mesh())
    file.animation((node, "translation", [1, np.nan, 0, 2], [[3, 0, 0], [9, 9, 9], [1, 0, 0], [np.nan, 0, 0]]))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert asset.clips[0].duration == 1
    np.testing.assert_allclose(asset.vertices(0, 0.5)[0], [2, 0, 0])
    assert ["not finite" in asset.report[0], "out of order" in asset.report[1]] == [True, True]


def test_vertices_that_are_not_finite_lose_their_triangles(tmp_path):
    file = File()
    file.node(mesh=file.mesh(file.primitive([*TRIANGLE, [np.nan, 0, 0]], [0, 1, 2, 1, 3, 2])))
    asset = load_asset(file.write(tmp_path / "a.glb"))
    assert asset.faces.tolist() == [[0, 1, 2]]
    assert "1 vertices that are not finite" in asset.report[0]


def test_a_node_scale_of_100_is_kept(tmp_path):
    # As in files that were modelled in centimetres; the frame of the scene is the file's own.
    file = File()
    node = file.node(mesh=file.mesh(), scale=[100, 100, 100])
    file.animation((node, "rotation", [0, 1], [[0, 0, 0, 1], TURN_Z]))
    np.testing.assert_allclose(load_asset(file.write(tmp_path / "a.glb")).vertices(0, 1)[1], [0, 100, 0], atol=1e-4)


def test_what_is_no_surface_or_no_movement_is_left_out_and_named(tmp_path):
    file = moving_triangle()
    file.json["meshes"][0]["primitives"] += [{**file.primitive(), "mode": 1}, {"attributes": {}}]
    channels = file.json["animations"][0]["channels"]
    channels += [{"sampler": 0, "target": {"path": "pointer"}}, {"sampler": 0, "target": {"node": 0, "path": "weights"}}]
    file.json["extensionsUsed"] = ["KHR_animation_pointer"]
    report = " | ".join(load_asset(file.write(tmp_path / "a.glb")).report)
    for words in ("points or lines", "no positions", "drives 'pointer'", "has no morph targets", "KHR_animation_pointer"):
        assert words in report


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

"""The procedural library: that every category gives a sound file that moves in memory as it does from the file, that good
ones have parts that move and stay, and that bad ones are bad in the way their name says."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from procedural_library import CATEGORIES, GROUPS, UnknownCategory, categories_of, make_asset
from procedural_library.folder import glb_bytes
from procedural_library.glb import extras_of
from puppetmaster_core.assets import load_asset

# GObjaverse's ten labels.
LABELS = {"Human-Shape", "Animals", "Daily-Used", "Furnitures", "Buildings&&Outdoor", "Transportations", "Plants", "Food",
          "Electronics", "Poor-quality"}
GOOD, BAD = GROUPS["good"], GROUPS["bad"]


def over_time(asset, frames=9):
    return asset.trajectories(0, asset.sample_times(0, frames))


def travel(positions):
    """The farthest each vertex gets from where it began, (V,)."""
    return np.linalg.norm(positions - positions[:1], axis=-1).max(0)


# ---- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("category", "seed"), [*((name, 3) for name in [*GOOD, *BAD]), *(("cabinet", k) for k in range(4))])
def test_an_asset_moves_from_its_file_as_it_does_in_memory(category, seed, tmp_path):
    asset, path = make_asset(category, seed), tmp_path / "asset.glb"
    path.write_bytes(glb_bytes(category, seed))
    read = load_asset(path)
    assert read.report == [] and read.submodels == asset.submodels and read.clips == asset.clips
    np.testing.assert_array_equal(read.submodel, asset.submodel)
    # A cabinet's smooth motion is 24 straight pieces: between keys it is at most h²/8 · max|s''| = 6 / (8 · 24²) of its way off.
    near = 6 / (8 * 24**2) if getattr(asset, "easing", "") == "smooth" else 0
    for share in (0, 0.25, 0.37, 0.5, 0.75, 1):
        t = share * asset.clips[0].duration
        mine, theirs = asset.vertices(0, t)[asset.faces], read.vertices(0, t)[read.faces]
        # Files hold float32: 24 bits, on objects and ways of a few units.
        np.testing.assert_allclose(theirs, mine, atol=2e-6 + (2 * near if share == 0.37 else 0))  # no way is longer than 2
    for m, n in {(int(a), int(b)) for a, b in zip(asset.material, read.material, strict=True)}:
        np.testing.assert_allclose(read.materials[n].color, asset.materials[m].color, atol=1e-6)
        if asset.materials[m].texture is not None:
            np.testing.assert_array_equal(read.materials[n].texture[..., :3], asset.materials[m].texture)
    # The same corners are round. The file says it with normals, which are rounded.
    mine, theirs = (np.zeros_like(one.faces) - 1 if one.smooth is None else one.smooth for one in (asset, read))
    np.testing.assert_array_equal(theirs >= 0, mine >= 0)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_file_keeps_the_rules_of_gltf(category):
    data = glb_bytes(category, 4)
    length = int.from_bytes(data[12:16], "little")
    document, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    assert int.from_bytes(data[8:12], "little") == len(data) and len(data) % 4 == 0
    arrays = [_array(document, binary, i) for i in range(len(document["accessors"]))]
    for accessor, array in zip(document["accessors"], arrays, strict=True):
        assert np.isfinite(array).all()
        if "min" in accessor:
            np.testing.assert_array_equal(np.float32(accessor["min"]), array.reshape(len(array), -1).min(0))
            np.testing.assert_array_equal(np.float32(accessor["max"]), array.reshape(len(array), -1).max(0))
    skins = {node["mesh"]: node["skin"] for node in document["nodes"] if "skin" in node}
    for m, mesh in enumerate(document["meshes"]):
        for primitive in mesh["primitives"]:
            own = {name: arrays[i] for name, i in primitive["attributes"].items()}
            assert len({len(a) for a in own.values()}) == 1 and arrays[primitive["indices"]].max() < len(own["POSITION"])
            if "NORMAL" in own:
                np.testing.assert_allclose(np.linalg.norm(own["NORMAL"], axis=1), 1, atol=1e-5)
            if m in skins:
                np.testing.assert_allclose(own["WEIGHTS_0"].sum(1), 1, atol=1e-6)
                assert own["JOINTS_0"].max() < len(document["skins"][skins[m]]["joints"])
    [animation] = document["animations"]
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        times, values = arrays[sampler["input"]], arrays[sampler["output"]]
        assert (np.diff(times) > 0).all() and len(values) % len(times) == 0
        if channel["target"]["path"] == "weights":
            assert values.min() >= 0 and values.max() <= 1  # Blender cuts off the rest
        if channel["target"]["path"] == "rotation":
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)


def _array(document, binary, index):
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    assert view["byteOffset"] % 4 == 0 and view["byteOffset"] + view["byteLength"] <= len(binary)
    kind = {5126: np.float32, 5125: np.uint32, 5123: np.uint16, 5121: np.uint8}[accessor["componentType"]]
    shape = {"SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}[accessor["type"]]
    raw = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    return np.frombuffer(raw, kind).reshape(accessor["count"], *shape)


def test_a_seed_is_the_same_bytes_in_another_process():
    code = ("import hashlib; from procedural_library import CATEGORIES\n"
            "from procedural_library.folder import glb_bytes\n"
            "print(hashlib.sha256(b''.join(glb_bytes(c, 1) for c in CATEGORIES)).hexdigest())")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONHASHSEED": "12345"})
    assert done.stdout.strip() == hashlib.sha256(b"".join(glb_bytes(c, 1) for c in CATEGORIES)).hexdigest()


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_seed_is_another_object(category):
    shapes = {hashlib.sha256(make_asset(category, seed).trajectories(0, np.zeros(1)).tobytes()).digest() for seed in range(3)}
    assert len(shapes) == 3


def test_a_file_says_what_it_is():
    said = extras_of(glb_bytes("explode", 2))
    assert said["kind"] == "explode" and said["good"] is False and said["seed"] == 2 and said["licence"] == "CC0-1.0"
    assert said["shape"] in GOOD and said["category"] == CATEGORIES[said["shape"]].label
    assert extras_of(glb_bytes("door", 0))["good"] is True
    for data in (b"", b"glTF", glb_bytes("door", 0)[:-1]):
        with pytest.raises(ValueError, match=r"not a \.glb of the library"):
            extras_of(data)


# ---- good ones ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", GOOD)
def test_a_good_asset_moves_in_part_and_fits_the_unit_cube(category):
    for seed in range(3):
        asset = make_asset(category, seed)
        rest = asset.rest_positions()
        assert np.ptp(rest, axis=0).max() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(rest.max(0) + rest.min(0), 0, atol=1e-5)
        far = travel(over_time(asset))
        assert 0.02 < far.max() < 3, f"{category} {seed} moves by {far.max():.3f}"
        moved = {asset.parts[p].name for p in range(len(asset.parts)) if far[asset.parts[p].vertices].max() > 1e-6}
        assert moved <= set(asset.moving)
        assert asset.category in LABELS and asset.provenance["good"]


@pytest.mark.parametrize("category", GROUPS["furniture"])
def test_furniture_stands_still_while_its_parts_move(category):
    for seed in range(4):
        asset = make_asset(category, seed)
        far = travel(over_time(asset))
        assert far[asset.parts[0].vertices].max() == 0 and 1 <= len(asset.moving) <= 4


def test_openings_and_closings_come_about_as_often():
    # A drawer of a chest opens where the furthest point to the front goes further. 40 fair draws: 12 to 28 but for 1 in 300.
    ends = [over_time(make_asset("table", seed), 2)[:, :, 2].max(1) for seed in range(40)]
    assert 12 <= sum(last > first for first, last in ends) <= 28


# ---- bad ones ----------------------------------------------------------------------------------------------------------


def bad(kind, seeds=6):
    for seed in range(seeds):
        asset = make_asset(kind, seed)
        assert asset.provenance["kind"] == kind and not asset.provenance["good"]
        yield asset, over_time(asset, 25)


def spread(points):
    """Distances between some 40 vertices (…)."""
    some = points[..., :: max(1, points.shape[-2] // 40), :]
    return np.linalg.norm(some[..., :, None, :] - some[..., None, :, :], axis=-1)


def test_static_ones_do_not_move():
    for _, positions in bad("static"):
        assert np.ptp(positions, axis=0).max() < 1e-12


def test_tiny_ones_move_by_a_hundredth_at_most():
    for _, positions in bad("tiny"):
        assert 0 < travel(positions).max() < 0.03


def test_translated_ones_move_as_one():
    for _, positions in bad("translation"):
        steps = positions - positions[:1]
        np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), atol=1e-6)
        assert travel(positions).max() > 0.3


def test_spinning_ones_turn_as_one():
    for _, positions in bad("spin"):
        np.testing.assert_allclose(spread(positions), np.broadcast_to(spread(positions[:1]), spread(positions).shape), atol=1e-5)
        assert np.ptp(travel(positions)) > 0.1  # unlike a translation


def test_scaled_ones_swell_or_shrink_as_one():
    for _, positions in bad("scaling"):
        first = np.concatenate([positions[0], np.ones((positions.shape[1], 1))], 1)
        factors = []
        for now in positions[1:]:
            fit, *_ = np.linalg.lstsq(first, now, rcond=None)
            np.testing.assert_allclose(first @ fit, now, atol=1e-5)  # one affine map for all
            factors += np.linalg.svd(fit[:3])[1].tolist()
        assert max(max(factors), 1 / min(factors)) > 1.3


def test_exploding_ones_scatter_their_parts():
    for asset, positions in bad("explode"):
        middles = np.stack([positions[:, p.vertices].mean(1) for p in asset.parts], 1)
        apart = spread(middles).max((1, 2))
        assert max(apart[0], apart[-1]) > 1.0 > min(apart[0], apart[-1])
        assert len(asset.moving) == len(asset.parts) >= 3


def test_teleporting_ones_jump_with_nothing_between():
    for asset, _ in bad("teleport"):
        positions = over_time(asset, 200)
        step = np.linalg.norm(np.diff(positions, axis=0), axis=-1).max(1)
        assert 1 <= (step > 0.02).sum() <= 10 and (step[step <= 0.02] < 1e-9).all()


def test_trembling_ones_go_far_and_get_nowhere():
    for asset, _ in bad("jitter"):
        positions = over_time(asset, 49)
        path = np.linalg.norm(np.diff(positions, axis=0), axis=-1).sum(0).max()
        assert path > 8 * travel(positions).max() / 2


# ---- names -------------------------------------------------------------------------------------------------------------


def test_an_unknown_category_is_answered_with_the_nearest():
    with pytest.raises(UnknownCategory, match=r"'refridgerator', expected.*did you mean refrigerator"):
        make_asset("refridgerator", 0)
    with pytest.raises(UnknownCategory, match="there are storage, table"):
        categories_of("xyzzy")


def test_groups_cover_the_library():
    assert categories_of("storage") == ("storage",) and set(categories_of("all")) == set(GOOD) | set(BAD)
    assert set(GOOD) == {c for g in ("furniture", "bodies", "daily", "soft") for c in categories_of(g)}
    assert "cabinet" not in categories_of("all") and categories_of("cabinets") == ("cabinet",)  # sets in use hold none
    assert {r.label for r in CATEGORIES.values() if r.group != "bad"} <= LABELS


def test_several_names_with_commas_are_their_categories_each_once():
    assert categories_of("human, soft,flag") == ("human", *GROUPS["soft"])
    with pytest.raises(UnknownCategory, match=r"'humam', expected.*did you mean human"):
        categories_of("soft,humam")

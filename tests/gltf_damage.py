"""Damage for glTF files, drawn at random: what the fuzzers feed the reader, and what it may answer."""

import json
import random
import struct
import warnings

import numpy as np

from puppetmaster_core.assets import AssetError, load_asset
from puppetmaster_core.render.surfaces import Surfaces

NUMBERS = (-1, 0, 1, 2, 3, 7, 255, 256, 65535, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 10**30, 0.5, -0.0, 1e-300, 1e300, 1e39,
           float("nan"), float("inf"))
VALUES = (*NUMBERS, None, True, False, "", "x", "VEC3", "MAT4", "LINEAR", "../x", "data:,", "\0", [], {}, [0], [[]], [None] * 3,
          [0.0] * 16, {"extensions": {}}, "KHR_draco_mesh_compression", "EXT_meshopt_compression", "CUBICSPLINE", 5120, 5126)
FLOATS = [struct.pack("<f", x) for x in (float("nan"), float("inf"), -1.0, 0.0, 1e-40, 3.4e38)] + [bytes(4), b"\xff" * 4]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A .glb with one to four defects: in its frame, its JSON, its arrays, or single bits anywhere."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice((_json, _json, _json, _json, _arrays, _frame, _bits))(data, rng)
    return data


def survives(path, data: bytes) -> bool:
    """Whether the reader makes an asset of it. AssetError is the only way to say no; an asset is usable, without warnings."""
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            asset = load_asset(path)
            moments = [(c, share * clip.duration) for c, clip in enumerate(asset.clips[:4]) for share in (0, 0.4)]
            poses = [asset.rest(), *(asset.vertices(c, t) for c, t in moments)]
    except AssetError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        return False
    count = len(poses[0])
    assert all(pose.shape == (count, 3) and np.isfinite(pose).all() for pose in poses)
    assert asset.faces.min() >= 0 and asset.faces.max() < count
    assert len(asset.faces) == len(asset.uv) == len(asset.material) == len(asset.submodel)
    assert asset.material.min() >= 0 and asset.material.max() < len(asset.materials)
    assert asset.submodel.min() >= 0 and asset.submodel.max() < len(asset.submodels)
    assert all(array is None or (array.shape[:2] == (len(asset.faces), 3) and np.isfinite(array).all())
               for array in (asset.colors, asset.emission_uv, asset.smooth))
    assert all(np.isfinite(m.emission).all() and min(m.emission) >= 0 for m in asset.materials)
    Surfaces.of(asset)  # what the reader calls sound can be drawn
    assert np.isfinite(asset.uv).all() and all(np.isfinite(m.color).all() and 0 <= m.alpha <= 1 for m in asset.materials)
    assert all(np.isfinite(clip.duration) and clip.duration >= 0 and isinstance(clip.name, str) for clip in asset.clips)
    assert all("\n" not in line for line in asset.report) and len(asset.report) <= 101
    return True


def _split(data: bytes):
    """(JSON, the rest), or None where the frame is already broken."""
    try:
        size = struct.unpack_from("<I", data, 12)[0]
        return json.loads(data[20:20 + size]), data[20 + size:]
    except (struct.error, ValueError, RecursionError):
        return None


def _joined(document, rest: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    return b"glTF" + struct.pack("<IIII", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def _places(value, found):
    """Every (holder, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found.append((value, key))
        _places(item, found)
    return found


def _json(data, rng):
    parts = _split(data)
    places = _places(parts[0], []) if parts else []
    if not places:
        return _bits(data, rng)
    holder, key = rng.choice(places)
    other_holder, other_key = rng.choice(places)
    change = rng.randrange(6)
    if change == 0:
        del holder[key]
    elif change == 1 and isinstance(holder[key], (int, float)):
        holder[key] = rng.choice((holder[key] + 1, holder[key] - 1, -holder[key], holder[key] * 1000))
    elif change == 2:  # the same thing again elsewhere: an index that points back, a name twice
        holder[key] = json.loads(json.dumps(other_holder[other_key]))
    elif change == 3 and isinstance(holder, list):
        holder.extend(json.loads(json.dumps(holder[:3])))
    else:
        holder[key] = rng.choice(VALUES)
    return _joined(*parts)


def _arrays(data, rng):
    parts = _split(data)
    if not parts or len(parts[1]) < 16:
        return _bits(data, rng)
    rest = bytearray(parts[1])
    for _ in range(rng.choice((1, 3))):
        at = 8 + rng.randrange(len(rest) - 12) // 4 * 4
        rest[at:at + 4] = rng.choice(FLOATS)
    return _joined(parts[0], bytes(rest))


def _frame(data, rng):
    if rng.random() < 0.5:
        return data[:rng.randrange(len(data) + 1)]
    data = bytearray(data)
    at = rng.choice((0, 4, 8, 12, 16))
    data[at:at + 4] = struct.pack("<I", rng.choice((0, 1, 2, 20, 2**31, 2**32 - 1, rng.randrange(2**32))))
    return bytes(data)


def _bits(data, rng):
    data = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 8))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)

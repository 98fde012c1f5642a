"""Clips of Drag-a-Move: their arrays are read, whatever is damaged is one DragError, and nothing a pickle can name is run."""

import collections
import json
import os
import pickle
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from puppetmaster_core.drag_a_move import clip_files, read_drag_a_move
from puppetmaster_core.drags import DragError
from puppetmaster_core.evaluation.suites import open_suite
from puppetmaster_core.restricted_pickle import PickleRefused, read_arrays

DRAG_A_MOVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "drag_a_move"


def clip():
    """A clip as the authors' loader makes it: float32 tensors, some of them views. Two drags in five places, (N, K, 4)."""
    drags, along = torch.zeros(14, 5, 4), torch.linspace(0, 1, 14)[:, None]
    for place, start, end in ((0, (0.2, 0.3), (0.8, 1.1)), (3, (0.5, 0.5), (0.5, 0.9))):
        start, end = torch.tensor(start), torch.tensor(end)
        drags[:, place] = torch.cat([start.expand(14, 2), start + along * (end - start)], 1)
    latents = torch.randn(14, 4, 3, 2, generator=torch.Generator().manual_seed(0)).permute(0, 1, 3, 2)
    return {"latents": latents, "cond_latent": torch.ones(4, 2, 3), "embedding": torch.zeros(1, 8), "drags": drags}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "00000.pkl"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["tensors", "arrays", "half", "ordered"])
def test_a_pickled_dictionary_of_arrays_is_read(path, protocol, kind):
    made = clip()
    if kind == "arrays":
        made = {name: value.numpy() for name, value in made.items()} | {"f": np.asfortranarray(np.eye(3)[:2])}
    if kind == "half":
        made = {name: value.half() for name, value in made.items()} | {"b": torch.ones(3).bfloat16()}
    path.write_bytes(pickle.dumps(collections.OrderedDict(made) if kind == "ordered" else made, protocol))
    arrays = read_arrays(path)
    assert set(arrays) == set(made)
    for name, value in made.items():
        np.testing.assert_array_equal(arrays[name], np.asarray(value.float() if torch.is_tensor(value) else value))


def test_clips_are_read_from_pickles_as_from_npz_and_empty_places_left_out(tmp_path):
    made = clip()
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({name: value[None] for name, value in made.items()}))  # a batch of one
    np.savez_compressed(tmp_path / "b.npz", **{name: value.numpy() for name, value in made.items()})
    frames = np.arange(14, dtype=np.uint8)[:, None, None, None] * np.full((8, 8, 3), 10, np.uint8)
    for name in "ab":
        first, *rest = [Image.fromarray(frame) for frame in frames]
        first.save(tmp_path / f"{name}.gif", save_all=True, append_images=rest)
    a, b = (found for _, found in open_suite(tmp_path, size=4))
    assert (a.id, b.id) == ("a", "b")
    assert a.frames.shape == (14, 4, 4, 3) and abs(int(a.frames[3, 0, 0, 0]) - 30) <= 2
    np.testing.assert_array_equal(a.drags.points, b.drags.points)
    np.testing.assert_allclose(a.drags.points[:, [0, -1]], [[[0.2, 0.3], [0.8, 1.1]], [[0.5, 0.5], [0.5, 0.9]]], atol=1e-6)
    (tmp_path / "b.gif").unlink()
    assert "no such file" in dict(open_suite(tmp_path))["b"]


@pytest.mark.skipif(not DRAG_A_MOVE.exists(), reason="the Drag-a-Move clips are not there")
def test_published_clips_are_read():
    """Shapes and numbers of drags are those of the index."""
    index, files = json.loads((DRAG_A_MOVE / "index.json").read_text()), clip_files(DRAG_A_MOVE)
    assert [entry["id"] for entry in index] == list(files) and len(index) == 51
    assert [len(read_drag_a_move(path)) for path in files.values()] == [entry["n_drags"] for entry in index]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a: a * 0, "got no drags"),
        (lambda a: a[0], r"got 'drags' as float32 \(5, 4\), expected a Drag-a-Move clip"),
        (lambda a: a.astype(object), "cannot be read"),
        (lambda a: a * np.arange(14)[:, None, None].clip(0, 1), "drag 1 is absent from some frames"),
        (lambda a: a.astype(float) * 1e300, "expected finite numbers"),
        (lambda a: a[:1], "expected at least 2"),
    ],
)
def test_other_arrays_are_refused(tmp_path, change, message):
    np.savez(tmp_path / "a.npz", drags=change(clip()["drags"].numpy()))
    with pytest.raises(DragError, match=message):
        read_drag_a_move(tmp_path / "a.npz")


# ---- what must not happen ------------------------------------------------------------------------------------------------


class Runs:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments, state=None):
        self.call = function, arguments, state

    def __reduce__(self):
        function, arguments, state = self.call
        return (function, arguments) if state is None else (function, arguments, state)


def inner(mark):
    """A pickle inside a tensor's storage."""
    return pickle.dumps(Runs(os.mkdir, mark))


MALICE = {
    "system": lambda mark: Runs(os.system, f"mkdir {mark}"),
    "mkdir": lambda mark: Runs(os.mkdir, mark),
    "eval": lambda mark: Runs(eval, f"__import__('os').mkdir({mark!r})"),
    "exec": lambda mark: Runs(exec, f"import os; os.mkdir({mark!r})"),
    "getattr": lambda mark: Runs(getattr, "text", "format"),
    "numpy.load": lambda mark: Runs(np.load, mark, None, True),
    "torch.load": lambda mark: Runs(torch.load, mark),
    "inside a storage": lambda mark: Runs(torch.storage._load_from_bytes, inner(mark)),
    "object array": lambda mark: np.array([Runs(os.mkdir, mark)], dtype=object),
    "object array's state": lambda mark: Runs(np.ndarray, (1,), state=(1, (1,), np.dtype("O"), False, [1])),
    "records": lambda mark: np.zeros(2, [("a", "f4")]),
    "changed name": lambda mark: Runs(collections.OrderedDict, state=(None, {"update": 1})),
}


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("kind", MALICE)
def test_a_malicious_pickle_is_refused_and_nothing_runs(path, tmp_path, protocol, kind):
    mark = str(tmp_path / "was-here")
    path.write_bytes(pickle.dumps({**clip(), "more": MALICE[kind](mark)}, protocol))
    with pytest.raises(PickleRefused):
        read_arrays(path)
    with pytest.raises(DragError, match="expected a Drag-a-Move clip"):
        read_drag_a_move(path)
    assert not os.path.exists(mark)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02}r\xff\xff\xff\xff.",  # a memo of 2³² places
        b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00.",  # a terabyte of bytes that are not there
        b"\x80\x02(ios\nsystem\n.",  # INST
        b"\x80\x02X\x01\x00\x00\x00aQ.",  # a persistent id
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x80\x02]q\x00h\x00a.",  # a list that holds itself
        b"}.",
        b"",
        pickle.dumps([1, 2]),
        pickle.dumps({1: np.zeros(2)}),
        pickle.dumps({"drags": "text"}),
    ],
)
def test_odd_pickles_are_refused(path, data):
    path.write_bytes(data)
    with pytest.raises(DragError, match="expected a Drag-a-Move clip"):
        read_drag_a_move(path)


def test_a_tensor_larger_than_its_numbers_is_refused(path):
    """A stride of 0 makes 2⁴⁰ numbers of one."""
    data = pickle.dumps({"drags": torch.zeros(3)}, 2)
    at = data.index(struct.pack("<BB", ord("K"), 3) + b"\x85")
    path.write_bytes(data[:at] + b"\x8a\x06" + (2**40).to_bytes(6, "little") + data[at + 2 :])
    with pytest.raises(PickleRefused, match="got a tensor of 1099511627776 numbers, stored are 3"):
        read_arrays(path)


def saved(kind, path):
    if kind.startswith("npz"):
        save = np.savez if kind == "npz" else np.savez_compressed
        save(path := path.with_suffix(".npz"), drags=clip()["drags"].numpy())
    else:
        path.write_bytes(pickle.dumps({"drags": clip()["drags"], "a": np.zeros((2, 3))}, int(kind)))
    return path


@pytest.mark.parametrize("kind", ["npz", "npz, compressed", "2", "4"])
def test_damaged_files_are_one_error_or_drags(path, kind):
    """zlib.error, BadZipFile, EOFError, NotImplementedError, RuntimeError and more come out of NumPy, zipfile and pickle."""
    path, rng, refused = saved(kind, path), random.Random(0), 0
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.2 else whole)
        for _ in range(min(rng.choice((1, 3, 4)), len(damaged))):
            damaged[rng.randrange(min(len(damaged), 600))] = rng.choice((0, 255, rng.randrange(256)))
        path.write_bytes(damaged)
        try:
            read_drag_a_move(path)
        except DragError as error:
            refused += 1
            assert "\n" not in str(error) and "expected" in str(error)
    assert refused > 150

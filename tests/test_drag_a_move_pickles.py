"""The authors' pickles give their arrays, and nothing a pickle can name is run. The clips' videos, index and latents."""

import collections
import json
import os
import pickle
import random
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from puppetmaster_core.drag_a_move import read_clip, read_index, read_released
from puppetmaster_core.drags import DragError
from puppetmaster_core.restricted_pickle import PickleRefused, read_arrays


def clip():
    """A clip as the authors' loader makes it: float32 tensors, some of them views."""
    drags = torch.zeros(14, 5, 4)
    drags[:, 0] = torch.stack([torch.linspace(a, b, 14) for a, b in ((0.2, 0.2), (0.3, 0.3), (0.2, 0.8), (0.3, 1.1))], 1)
    latents = torch.randn(14, 4, 3, 2, generator=torch.Generator().manual_seed(0)).permute(0, 1, 3, 2)
    return {"latents": latents, "cond_latent": torch.ones(4, 2, 3), "embedding": torch.zeros(1, 8), "drags": drags}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "00000.pkl"


def same(arrays, wanted):
    assert set(arrays) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_array_equal(arrays[name], np.asarray(value.float() if torch.is_tensor(value) else value))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["tensors", "arrays", "half", "ordered"])
def test_a_dictionary_of_arrays_is_read(path, protocol, kind):
    made = clip()
    if kind == "arrays":
        made = {name: value.numpy() for name, value in made.items()} | {"f": np.asfortranarray(np.eye(3)[:2])}
    if kind == "half":
        made = {name: value.half() for name, value in made.items()} | {"b": torch.ones(3).bfloat16()}
    path.write_bytes(pickle.dumps(collections.OrderedDict(made) if kind == "ordered" else made, protocol))
    same(read_arrays(path), made)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_save_writes_is_read(path, zipped):
    torch.save(clip(), path, _use_new_zipfile_serialization=zipped)
    same(read_arrays(path), clip())


def test_drags_and_clips_come_out_of_pickles_as_out_of_npz(tmp_path):
    made = clip()
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({name: value[None] for name, value in made.items()}))  # a batch of one
    np.savez(tmp_path / "b.npz", **{name: value.numpy() for name, value in made.items()})
    frames = np.arange(14, dtype=np.uint8)[:, None, None, None] * np.full((8, 8, 3), 10, np.uint8)
    for name in "ab":
        first, *rest = [Image.fromarray(frame) for frame in frames]
        first.save(tmp_path / f"{name}.gif", save_all=True, append_images=rest)
    a, b = (read_clip(tmp_path, name, size=4) for name in "ab")
    assert read_index(tmp_path) == [{"id": "a"}, {"id": "b"}]
    assert a.frames.shape == (14, 4, 4, 3) and abs(int(a.frames[3, 0, 0, 0]) - 30) <= 2
    np.testing.assert_array_equal(a.drags.points, b.drags.points)
    np.testing.assert_array_equal(read_released(tmp_path / "a.pkl").points, b.drags.points)


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
        read_released(path)
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
        b"\x80\x02K\x07.",
        b"}.",
        b"",
        b"\x80",
        pickle.dumps([1, 2]),
        pickle.dumps({1: np.zeros(2)}),
        pickle.dumps({"drags": "text"}),
        pickle.dumps({"drags": b"bytes"}),
    ],
)
def test_odd_pickles_are_refused(path, data):
    path.write_bytes(data)
    with pytest.raises(DragError, match="expected a Drag-a-Move clip"):
        read_released(path)


def test_a_tensor_larger_than_its_numbers_is_refused(path):
    """A stride of 0 makes 2⁴⁰ numbers of one."""
    data = pickle.dumps({"drags": torch.zeros(3)}, 2)
    at = data.index(struct.pack("<BB", ord("K"), 3) + b"\x85")
    path.write_bytes(data[:at] + b"\x8a\x06" + (2**40).to_bytes(6, "little") + data[at + 2 :])
    with pytest.raises(PickleRefused, match="got a tensor of 1099511627776 numbers, stored are 3"):
        read_arrays(path)


@pytest.mark.parametrize("protocol", [2, 4])
def test_damaged_pickles_are_refused_or_read(path, protocol):
    whole, rng, refused = pickle.dumps({"drags": clip()["drags"], "a": np.zeros((2, 3))}, protocol), random.Random(0), 0
    for _ in range(300):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.2 else whole)
        for _ in range(min(3, len(damaged))):
            damaged[rng.randrange(min(len(damaged), 600))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            read_arrays(path)
        except PickleRefused as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 150


# ---- the published clips -------------------------------------------------------------------------------------------------


def test_an_index_that_leads_out_of_its_folder_is_refused(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps([{"id": "../secret"}]))
    with pytest.raises(DragError, match="expected a list of clips"):
        read_index(tmp_path)

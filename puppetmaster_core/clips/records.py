"""A clip as WebDataset holds it: members of a tar file that share a key.

    KEY.00.webp …     the frames, lossless
    KEY.labels.npz    alpha, part ids, drags, their visibility, exact displacement
    KEY.json          camera, category, provenance, tools

Letters: N frames. The same clip gives the same bytes, whoever writes it and when.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields

import numpy as np
from PIL import Image

from puppetmaster_core.clips.clip import Clip

END = bytes(1024)  # of a tar file
LOSSLESS = {"format": "WEBP", "lossless": True, "quality": 20, "method": 1}  # a fifth of the time for a tenth more bytes
LABELS = {field.name for field in fields(Clip) if field.type == "np.ndarray"} - {"frames"}
ABOUT = {field.name for field in fields(Clip)} - LABELS - {"frames"}


class ClipError(ValueError):
    """A stored clip that cannot be read. The message is one line: where, what it got, what it expected."""


def to_members(clip: Clip) -> dict[str, bytes]:
    """A clip's members by the part of their name after the key, in the order in which they are stored."""
    members = {}
    for n, frame in enumerate(clip.frames):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, **LOSSLESS)
        members[f"{n:02d}.webp"] = buffer.getvalue()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: getattr(clip, name) for name in sorted(LABELS)})
    members["labels.npz"] = buffer.getvalue()
    about = {name: getattr(clip, name) for name in sorted(ABOUT)}
    members["json"] = json.dumps(about, ensure_ascii=False, sort_keys=True).encode()
    return members


@contextmanager
def _readable(expected: str) -> Iterator[None]:
    """Whatever damaged bytes raise, as ClipError."""
    try:
        yield
    except ClipError:
        raise
    except Exception as error:
        raise ClipError(f"a clip cannot be read ({type(error).__name__}), expected {expected}") from None


def from_members(members: Mapping[str, bytes]) -> Clip:
    """The clip of its members. Raises ClipError; no pickle is read."""
    with _readable("camera and drags as JSON has them"):
        about = json.loads(members["json"])
        about = {name: about[name] for name in ABOUT if name in about}
        return Clip(frames_of(members), **_labels(members, LABELS), **about)


def frames_of(members: Mapping[str, bytes], some: slice = slice(None)) -> np.ndarray:
    """Some of the frames (N, H, W, 3) only. Raises ClipError."""
    with _readable("pictures"):
        return np.stack([_picture(members[name]) for name in sorted(name for name in members if name.endswith(".webp"))[some]])


def labels_of(members: Mapping[str, bytes], names: Collection[str]) -> dict[str, np.ndarray]:
    """Some of the labels only. Raises ClipError, also where one is missing."""
    labels = _labels(members, names)
    if missing := [name for name in names if name not in labels]:
        raise ClipError(f"got a clip without {missing[0]}, made by an older version: render it again")
    return {name: labels[name] for name in names}


def _labels(members: Mapping[str, bytes], names: Collection[str]) -> dict[str, np.ndarray]:
    with _readable("labels.npz"), np.load(io.BytesIO(members["labels.npz"]), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if name in names}


def _picture(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("WEBP", "PNG")) as picture:
        return np.asarray(picture.convert("RGB"))


def to_tar(key: str, members: Mapping[str, bytes]) -> bytes:
    """The members of one key as tar blocks without an end, so that they can follow each other in a file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(f"{key}.{name}")  # no time, no user: the same bytes from everyone
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        length = tar.offset
    return buffer.getvalue()[:length]


def from_tar(data: bytes) -> dict[str, bytes]:
    """The members of the one key in `data`, tar blocks without an end. Nothing is unpacked to disk. Raises ClipError."""
    members = {}
    with _readable("tar members"), tarfile.open(fileobj=io.BytesIO(data + END)) as tar:
        for entry in tar:
            if entry.isfile():
                members[entry.name.partition(".")[2]] = data[entry.offset_data : entry.offset_data + entry.size]
        end = tar.offset
    if end != len(data):  # tarfile takes a damaged header for the end of the file
        raise ClipError(f"a clip cannot be read ({end} of {len(data)} bytes are whole), expected tar members")
    return members

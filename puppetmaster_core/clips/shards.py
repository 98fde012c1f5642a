"""A set of clips on disk: WebDataset tar shards, and an index in Parquet that says where each clip lies.

    shard-000000.tar          clips of some assets, in order (see records)
    index/shard-000000.parquet    one row a clip; DuckDB reads them together as 'index/*.parquet'

A shard counts once its index is there, which is written after it, and as long as both are whole. Letters: n clips, N frames.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.records import END, ClipError, frames_of, from_members, from_tar, labels_of
from puppetmaster_core.files import whole_file

SCHEMA = pa.schema([
    ("key", pa.string()),  # of the clip: unique in the set
    ("shard", pa.string()),  # file name
    ("offset", pa.int64()),  # of the clip's first byte in the shard
    ("length", pa.int64()),  # in bytes
    ("asset", pa.string()),  # its name in the source
    ("animation", pa.string()),
    ("view", pa.int32()),
    ("category", pa.string()),
    ("group", pa.string()),  # of the training mixture, App. C.1
    ("size", pa.int32()),  # pixels a side
    ("frames", pa.int32()),  # N
    ("submodels", pa.int32()),  # seen in frame 1
    ("drags", pa.int32()),
    ("travel", pa.float32()),  # of the longest drag, start to farthest point, in picture widths
    ("seed", pa.int64()),
    ("renderer", pa.string()),
    ("licence", pa.string()),
    ("source", pa.string()),
    ("source_sha256", pa.string()),  # of the file, or of the geometry and textures of a procedural asset
    ("notes", pa.list_(pa.string())),  # what was mended or left out in the asset's file: kinds, see assets.gltf.errors.KINDS
])
PLACE = ("shard", "offset", "length", "key")  # where a clip lies


def shard_name(number: int) -> str:
    return f"shard-{number:06d}.tar"


def index_path(folder: Path, number: int) -> Path:
    return folder / "index" / f"shard-{number:06d}.parquet"


def write_shard(folder: Path, number: int, pieces: Iterable[tuple[Path, list[dict]]]) -> None:
    """Join pieces, files of clips and their rows with offsets from the file's start, into shard `number`.

    First the shard appears whole, then its index, so that what is indexed is there.
    """
    rows, offset = [], 0
    with whole_file(folder / shard_name(number)) as partial, open(partial, "wb") as shard:
        for path, own in pieces:
            shard.write(path.read_bytes())
            rows += [{**row, "shard": shard_name(number), "offset": offset + row["offset"]} for row in own]
            offset = shard.tell()
        shard.write(END)
        shard.flush()
        os.fsync(shard.fileno())
    with whole_file(index_path(folder, number)) as partial:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partial)


def read_index(folder: str | os.PathLike) -> pa.Table:
    """The rows of all shards of `folder`, in order. Raises ClipError where there are none or one cannot be read."""
    paths = sorted(Path(folder, "index").glob("shard-*.parquet"))
    if not paths:
        raise ClipError(f"{folder}: got no index/*.parquet, expected clips: make some with puppetmaster render")
    return pa.concat_tables([_table(path) for path in paths])


def _table(path: Path) -> pa.Table:
    """One shard's rows. Raises ClipError."""
    try:
        table = pq.read_table(path, schema=SCHEMA)
        table.validate(full=True)
        if any(table.column(name).null_count for name in PLACE):
            raise pa.ArrowInvalid("a clip without a place")
        return table
    except (OSError, pa.ArrowException) as error:
        raise ClipError(f"{path}: cannot be read ({type(error).__name__}), expected an index: render again") from None


def count_notes(index: pa.Table) -> dict[str, int]:
    """How many assets of an index have notes, by kind, the most frequent first."""
    assets, notes = (index.column(name).to_pylist() for name in ("asset", "notes"))
    pairs = {(asset, kind) for asset, kinds in zip(assets, notes, strict=True) for kind in kinds or ()}
    return dict(Counter(sorted(kind for _, kind in pairs)).most_common())


def damage(folder: Path, index: pa.Table) -> str | None:
    """Of the shards of some rows, what is wrong with the first that cannot be opened or ends before its clips do; None: all are
    whole."""
    ends: dict[str, int] = {}
    for shard, offset, length in zip(*(index.column(name).to_pylist() for name in PLACE[:3]), strict=True):
        ends[shard] = max(ends.get(shard, 0), offset + length)
    for shard, end in ends.items():
        path = folder / Path(shard).name
        try:
            with open(path, "rb") as file:
                there = file.seek(0, os.SEEK_END)
        except OSError as error:
            return f"{path}: cannot be opened ({error.strerror}), expected {end} bytes"
        if there < end:
            return f"{path}: got {there} bytes, expected at least {end}: a half-written shard"
    return None


def damage_of(folder: Path, number: int) -> str | None:
    """What is wrong with shard `number` or its index, which is there; None: both are whole."""
    try:
        return damage(folder, _table(index_path(folder, number)))
    except ClipError as error:
        return str(error)


class ClipStore:
    """The clips of a folder by number, in the order of the index: clip 7 is the same however it is reached.

    Holds the index only and opens a shard for each clip it reads, so it can be handed to worker processes.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder, self.index = Path(folder), read_index(folder)
        self._place = [self.index.column(name).to_pylist() for name in PLACE]

    def __len__(self) -> int:
        return self.index.num_rows

    def __getitem__(self, number: int) -> Clip:
        """Clip `number`. Raises IndexError, or ClipError naming the shard and the key."""
        return self._read(number, from_members)

    def frames(self, number: int, some: slice = slice(None)) -> np.ndarray:
        """The frames (N, H, W, 3) uint8 of clip `number` only, or some of them."""
        return self._read(number, frames_of, some)

    def labels(self, number: int, names: Collection[str]) -> dict[str, np.ndarray]:
        """Some of the arrays of clip `number` only, by their names in `Clip`."""
        return self._read(number, labels_of, names)

    def column(self, name: str) -> list:
        """One column of the index, a value a clip."""
        return self.index.column(name).to_pylist()

    def __iter__(self) -> Iterator[Clip]:
        return (self[number] for number in range(len(self)))

    def _read(self, number: int, parse, *options):
        shard, offset, length, key = (column[number] for column in self._place)
        try:
            with open(self.folder / Path(shard).name, "rb") as file:
                file.seek(offset)
                data = file.read(length)
            if len(data) < length:
                raise ClipError("the shard is too short")
            return parse(from_tar(data), *options)
        except (OSError, ClipError) as error:
            raise ClipError(f"{self.folder / shard}, clip {key}: {error}") from None

"""Less is more (App. B.2, Table 3, Fig. 7): curated and uncurated clips as two training mixtures of equal size.

The paper trains on 16k animations and on the best 10k of them; ours are of one size, so that only quality differs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.curation.tables import read_rows
from puppetmaster_core.files import whole_folder


@dataclass(frozen=True)
class Arm:
    """One side of the comparison."""

    clips: np.ndarray  # (n,) numbers of clips in the store, rising
    mixture: Mixture  # draws them with the weights of App. C.1
    dropped_share: float  # of its clips that curation drops


def two_arms(keys: Sequence[tuple[str, str]], groups: Sequence[str], verdicts: Mapping[tuple[str, str], str],
             size: int | None = None, seed: int = 0) -> dict[str, Arm]:
    """{"curated": Arm, "uncurated": Arm} of `size` clips each (None: as many as both can have), drawn without replacement.

    keys: (asset, animation's name) of each clip of a store, groups: its group in the mixture, both in the store's order.
    verdicts: of a run's table, by the same keys: "animation" is kept, where the run asked a judge only "HQ". Both arms hold
    equally many clips of every group, as many as the group's kept clips allow, so that they differ in nothing but quality.
    Raises ValueError: a clip without a verdict, no clip kept, size larger than what there is.
    """
    missing = [key for key in keys if tuple(key) not in verdicts]
    if missing:
        raise ValueError(f"{len(missing)} clips are of animations the run did not look at, {missing[0]} first: curate those too")
    said = np.array([verdicts[tuple(key)] for key in keys])
    wanted = ("HQ",) if "HQ" in set(verdicts.values()) else ("animation",)
    kept, groups = np.isin(said, wanted), np.asarray(groups)
    if not kept.any():
        raise ValueError(f"none of {len(said)} clips is kept: nothing to compare with")
    counts = {group: int(kept[groups == group].sum()) for group in np.unique(groups[kept])}
    most = sum(counts.values())
    if size is not None:
        if not 0 < size <= most:
            raise ValueError(f"got {size} clips an arm, 1 to {most} can be had: curate and render more assets")
        counts = _shared(counts, size)
    rng = np.random.default_rng(seed)
    return {name: _arm(groups, pool, kept, counts, rng, seed)
            for name, pool in (("curated", kept), ("uncurated", np.ones(len(said), bool)))}


def _arm(groups: np.ndarray, pool: np.ndarray, kept: np.ndarray, counts: dict[str, int], rng, seed: int) -> Arm:
    own = [rng.choice(np.flatnonzero(pool & (groups == group)), count, replace=False) for group, count in counts.items()]
    clips = np.sort(np.concatenate(own))
    members = Mixture.of(groups[clips], seed=seed, allow_missing=True)
    mixture = Mixture({group: clips[inside] for group, inside in members.members.items()}, members.weights, seed)
    return Arm(clips, mixture, float(1 - kept[clips].mean()))


def _shared(counts: dict[str, int], size: int) -> dict[str, int]:
    """`size` clips over the groups in proportion to what they have; what rounding leaves goes to the largest remainders."""
    exact = {group: size * count / sum(counts.values()) for group, count in counts.items()}
    out = {group: int(share) for group, share in exact.items()}
    for group in sorted(exact, key=lambda g: out[g] - exact[g])[: size - sum(out.values())]:
        out[group] += 1
    return {group: count for group, count in out.items() if count}


def link_arms(clips: Path, table: Path, output: Path, size: int | None = None, seed: int = 0) -> dict[str, dict]:
    """Two folders of clips for `puppetmaster train --data`, output/curated and output/uncurated; what is in each.

    clips: what `puppetmaster render` made of the assets whose animations are in `table`, a run's animations.parquet. An arm has
    an index of its clips, and links to the shards (copies on another disk). Raises ValueError as `two_arms` does, ClipError.
    """
    store = ClipStore(clips)
    verdicts = {(row["asset"], row["name"]): row["verdict"] for row in read_rows(table)}
    keys = list(zip(store.column("asset"), store.column("animation"), strict=True))
    arms = two_arms(keys, store.column("group"), verdicts, size, seed)
    with whole_folder(output) as partial:
        for name, arm in arms.items():
            _link_arm(store, arm, partial / name)
    return {name: {"clips": len(arm.clips), "that curation drops": round(arm.dropped_share, 4),
                   "groups": {group: len(members) for group, members in arm.mixture.members.items() if len(members)}}
            for name, arm in arms.items()}


def _link_arm(store: ClipStore, arm: Arm, folder: Path) -> None:
    (folder / "index").mkdir(parents=True)
    index = store.index.take(pa.array(arm.clips))
    for shard in sorted(set(index.column("shard").to_pylist())):
        try:
            os.link(store.folder / Path(shard).name, folder / Path(shard).name)
        except OSError:  # another disk
            shutil.copyfile(store.folder / Path(shard).name, folder / Path(shard).name)
    pq.write_table(index, folder / "index" / "shard-000000.parquet")

"""Less is more (App. B.2, Table 3, Fig. 7): curated and uncurated clips as two training mixtures of equal size.

The paper trains on 16k animations and on the best 10k of them; ours are of one size, so that only quality differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.curation.tables import read_rows
from puppetmaster_core.files import link, whole_folder


class ArmsError(ValueError):
    """Clips of which no two arms can be made. The message is one line."""


@dataclass(frozen=True)
class CurationArm:
    """One side of the comparison."""

    clips: np.ndarray  # (n,) numbers of clips in the store, rising
    groups: dict[str, int]  # of the mixture: how many clips of each
    dropped_share: float  # of its clips that curation drops


def two_arms(keys: Sequence[tuple[str, str]], groups: Sequence[str], verdicts: Mapping[tuple[str, str], str],
             seed: int = 0) -> dict[str, CurationArm]:
    """{"curated": CurationArm, "uncurated": CurationArm} of as many clips each as both can have, drawn without replacement.

    keys: (asset, animation's name) of each clip of a store, groups: its group in the mixture, both in the store's order.
    verdicts: of a run's table, by the same keys: "animation" is kept, where the run asked a judge only "HQ". Both arms hold
    equally many clips of every group, as many as the group's kept clips allow, so that they differ in nothing but quality.
    Raises ArmsError: a clip without a verdict, no clip kept.
    """
    missing = [key for key in keys if tuple(key) not in verdicts]
    if missing:
        raise ArmsError(f"{len(missing)} clips are of animations the run did not look at, {missing[0]} first: curate those too")
    said = np.array([verdicts[tuple(key)] for key in keys])
    wanted = ("HQ",) if "HQ" in set(verdicts.values()) else ("animation",)
    kept, groups = np.isin(said, wanted), np.asarray(groups)
    if not kept.any():
        raise ArmsError(f"none of {len(said)} clips is kept: nothing to compare with")
    counts = {str(group): int(kept[groups == group].sum()) for group in np.unique(groups[kept])}
    rng = np.random.default_rng(seed)
    arms = {}
    for name, pool in (("curated", kept), ("uncurated", np.ones(len(said), bool))):
        own = [rng.choice(np.flatnonzero(pool & (groups == group)), count, replace=False) for group, count in counts.items()]
        clips = np.sort(np.concatenate(own))
        arms[name] = CurationArm(clips, counts, float(1 - kept[clips].mean()))
    return arms


def link_arms(clips: Path, table: Path, output: Path) -> dict[str, dict]:
    """Two folders of clips for `puppetmaster train --data`, output/curated and output/uncurated; what is in each.

    clips: what `puppetmaster render` made of the assets whose animations are in `table`, a run's animations.parquet. An arm has
    an index of its clips, and links to the shards (copies on another disk). Raises ArmsError as `two_arms` does, ClipError.
    """
    store = ClipStore(clips)
    verdicts = {(row["asset"], row["name"]): row["verdict"] for row in read_rows(table)}
    keys = list(zip(store.column("asset"), store.column("animation"), strict=True))
    arms = two_arms(keys, store.column("group"), verdicts)
    with whole_folder(output) as partial:
        for name, arm in arms.items():
            _link_arm(store, arm, partial / name)
    return {name: {"clips": len(arm.clips), "that curation drops": round(arm.dropped_share, 4), "groups": arm.groups}
            for name, arm in arms.items()}


def _link_arm(store: ClipStore, arm: CurationArm, folder: Path) -> None:
    (folder / "index").mkdir(parents=True)
    index = store.index.take(pa.array(arm.clips))
    for shard in sorted(set(index.column("shard").to_pylist())):
        link(store.folder / Path(shard).name, folder / Path(shard).name)
    pq.write_table(index, folder / "index" / "shard-000000.parquet")

"""Labelled animations to fit the forest on, and where each label comes from.

Sources: the procedural library (good, and bad on purpose), files with one animation each and known corruptions of them, labels
given by hand with the notebook's widget, and, for whoever has Objaverse, the paper's published ids as positives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from puppetmaster_core.assets import asset_source
from puppetmaster_core.clips.sources import Source, find_source
from puppetmaster_core.curation.metrics import METRICS, motion_metrics
from puppetmaster_core.isolation import run_isolated


@dataclass(frozen=True)
class Example:
    """One animation with its label."""

    group: str  # the object: one that is in a fold's training part is not in its test part
    kind: str  # "good", or how it is bad
    source: str  # where the label comes from
    metrics: tuple[float, ...]  # in the order of METRICS

    @property
    def good(self) -> bool:
        return self.kind == "good"


@dataclass(frozen=True)
class Examples:
    """Many of them, as arrays. Letters: n animations, M metrics."""

    metrics: np.ndarray  # (n, M)
    good: np.ndarray  # (n,) bool
    kinds: np.ndarray  # (n,) str
    groups: np.ndarray  # (n,) str
    sources: np.ndarray  # (n,) str

    @classmethod
    def of(cls, examples: list[Example]) -> Examples:
        return cls(np.array([e.metrics for e in examples], float).reshape(-1, len(METRICS)),
                   np.array([e.good for e in examples], bool), *(np.array([getattr(e, name) for e in examples], str)
                                                                for name in ("kind", "group", "source")))

    def __len__(self) -> int:
        return len(self.good)

    def part(self, which: np.ndarray) -> Examples:
        """Some of them, by number."""
        return Examples(*(getattr(self, field.name)[which] for field in fields(self)))

    def weights(self) -> np.ndarray:
        """(n,) so that good and bad weigh the same, and within each the sources of labels do, whatever their numbers."""
        out = np.zeros(len(self))
        for good in (True, False):
            own = np.unique(self.sources[self.good == good])
            for source in own:
                some = (self.good == good) & (self.sources == source)
                out[some] = 0.5 * len(self) / len(own) / some.sum()
        return out

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each kind from each source."""
        return {str(source): {str(kind): n for kind, n in Counter(self.kinds[self.sources == source]).items()}
                for source in dict.fromkeys(self.sources)}


LIBRARY, FILES, CORRUPTED, BY_HAND, PUBLISHED = ("procedural library", "animated files", "corrupted animated files",
                                                 "labelled by hand", "the paper's published ids")


def library_jobs(good: int, bad: int) -> list[tuple]:
    """Jobs for `good` good and `bad` bad assets of the library, its categories in turn."""
    groups = asset_source().GROUPS
    return [("library", *one) for name, count in (("good", good), ("bad", bad))
            for one in asset_source().planned(groups[name], count, 0)]


def file_jobs(folder: str) -> tuple[Source, list[tuple]]:
    """Jobs for a folder's files: each as it is, and spoilt in every way, twice."""
    source = find_source(folder)
    return source, [("file", number) for number in range(len(source))]


def examples_of(source: Source | None, job: tuple) -> list[Example]:
    """What one job gives. Runs in a worker.

    A file with several animations gives none: among them are poses and idling that nobody has judged.
    """
    if job[0] == "library":
        asset = asset_source().make_asset(*job[1:])
        return [_example(asset, f"{job[1]}-{job[2]}", asset.provenance["kind"], LIBRARY)]
    asset = source.open(job[1])
    if len(asset.clips) != 1:
        return []
    group = object_of(source.name(job[1]), asset.provenance)
    out = [_example(asset, group, "good", FILES)]
    for seed in range(2):
        for kind in asset_source().CORRUPTIONS:
            if kind != "explode" or len(np.unique(asset.submodel)) >= 3:
                out.append(_example(asset_source().corrupt(asset, 0, kind, seed), group, kind, CORRUPTED))
    return out


def object_of(name: str, provenance: dict) -> str:
    """What the object is called, without its animation: clips cut from one file are one object."""
    return str(provenance.get("source") or name).partition("#")[0]


def collect(jobs: list[tuple], source: Source | None = None, more: Sequence[Example] = (), workers: int = 2,
            progress=iter) -> tuple[Examples, list[str]]:
    """All examples of the jobs, in the jobs' order, then `more`; and what failed, a line each."""
    found, failures = {}, []
    outcomes = run_isolated(partial(examples_of, source), jobs, workers=workers, time_limit=120.0)
    for outcome in progress(outcomes):
        if outcome.error:
            failures.append(f"{outcome.job}: {outcome.error}")
        else:
            found[outcome.job] = outcome.result
    return Examples.of([*(e for job in jobs for e in found.get(job, ())), *more]), failures


def labelled_rows(rows: list[dict], labels: dict[str, bool], source: str = BY_HAND) -> Iterator[Example]:
    """Examples from the table of a run and labels by "ASSET#ANIMATION" (or "ASSET" for all its animations)."""
    for row in rows:
        name = str(row["asset"])
        key = next((k for k in (f"{name}#{row['animation']}", name, Path(name).stem) if k in labels), None)
        if key is not None and row.get(METRICS[0]) is not None:
            yield Example(name, "good" if labels[key] else "dropped by hand", source, tuple(row[m] for m in METRICS))


def published_rows(rows: list[dict], ids: Sequence[str]) -> Iterator[Example]:
    """Examples from the table of a run over Objaverse: the objects with one animation that are in the paper's published list.

    The list is of objects; of one with several animations nobody knows which was meant.
    """
    animations = Counter(row["asset"] for row in rows)
    yield from labelled_rows([row for row in rows if animations[row["asset"]] == 1], dict.fromkeys(ids, True), PUBLISHED)


def _example(asset, group: str, kind: str, source: str) -> Example:
    return Example(group, kind, source, tuple(motion_metrics(asset, 0).values()))

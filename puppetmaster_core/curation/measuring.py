"""From many assets to tables of metrics: what a curation folder is made from, and the job that makes it (see jobs.py).

A folder holds the plan (plan.json), and under index/ two tables for each part of so many assets: animations-000003.parquet and
assets-000003.parquet. Parts can be shared out among machines by rank: part p is rank p mod W's.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from puppetmaster_core import __version__
from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.sources import Source, content_sha256
from puppetmaster_core.curation.metrics import METRICS, motion_metrics
from puppetmaster_core.curation.prefilter import POOR, Categories
from puppetmaster_core.curation.tables import ASSETS, MEASURED, read_rows, write_table
from puppetmaster_core.files import one_line
from puppetmaster_core.isolation import Outcome, restart_time_limit
from puppetmaster_core.jobs import is_done, parts

FORMAT = "puppetmaster.curation/1"


@dataclass(frozen=True)
class CurationPlan:
    """What decides the tables of a run."""

    source: Source
    assets_a_part: int = 200
    categories: str = ""  # SHA-256 of GObjaverse's file, "" = none was given
    picture_size: int = 192  # pixels a side of what the judge sees

    @property
    def parts(self) -> list[range]:
        """The numbers of the assets of each part."""
        return parts(len(self.source), self.assets_a_part)

    def to_dict(self) -> dict:
        """All but where the files are, which may change, and the version of what measures them."""
        own = asdict(replace(self, source=replace(self.source, root="")))
        return {"format": FORMAT, "version": __version__, "metrics": METRICS, **own}


@dataclass(frozen=True)
class CurationJob:
    """Assets to tables: a `jobs.Job`. The record of an asset: {"asset": its row, "animations": rows}."""

    folder: Path
    plan: CurationPlan
    categories: Categories = field(default_factory=Categories)

    def items(self, part: int) -> range:
        return self.plan.parts[part]

    def do(self, number: int) -> dict:
        if self.categories.left_out(self.plan.source.name(number)):
            return _unread(self.plan.source, number, left_out=f"GObjaverse calls it {POOR}", category=POOR)
        return measure_asset(self.plan.source, number)

    def failed(self, outcome: Outcome) -> dict:
        source, number = self.plan.source, outcome.job
        return _unread(source, number, sha256=file_sha256(source, number), error=outcome.error, stderr=outcome.detail)

    def files(self, part: int) -> tuple[Path, Path]:
        """The tables of a part's animations and assets."""
        return tuple(self.folder / "index" / f"{name}-{part:06d}.parquet" for name in ("animations", "assets"))

    def write(self, part: int, records: list[dict]) -> None:
        animations, assets = self.files(part)
        write_table(animations, (row for record in records for row in record["animations"]), MEASURED)
        write_table(assets, (record["asset"] for record in records), ASSETS)


def missing_parts(job: CurationJob, rank: int = 0, world: int = 1, retry: bool = False) -> list[int]:
    """The parts of this rank still to be made. retry: also those in which an asset failed."""
    own = range(rank, len(job.plan.parts), world)
    return [part for part in own
            if not is_done(job, part) or (retry and any(row["error"] for row in read_rows(job.files(part)[1])))]


# ---- one asset -----------------------------------------------------------------------------------------------------------


def measure_asset(source: Source, number: int) -> dict:
    """What asset `number` is and how its animations move: {"asset": row, "animations": rows}. Raises what reading raises.

    An animation that cannot be measured costs itself only: its row says why, in `error`.
    """
    began = _now()
    asset = source.open(number)
    row = _identify(asset, source, number) | _since(began)
    animations = []
    for index, clip in enumerate(asset.clips):
        restart_time_limit()
        began = _now()
        about = {"asset": row["asset"], "number": number, "animation": index, "name": clip.name,
                 "duration": float(clip.duration) if np.isfinite(clip.duration) else None}
        try:
            about |= motion_metrics(asset, index) | {"error": None}
        except ValueError as error:
            about |= dict.fromkeys(METRICS) | {"error": one_line(error)}
        animations.append(about | _since(began))
    return {"asset": row, "animations": animations}


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> dict[str, float]:
    """What has passed, by the clock and of a core: on a busy machine the two are far apart."""
    return {name: round(now - then, 4) for name, now, then in zip(("seconds", "cpu_seconds"), _now(), began, strict=True)}


def _identify(asset: AnimatedAsset, source: Source, number: int) -> dict:
    """An asset's row: where it comes from, whose it is, and how much of it there is."""
    about = asset.provenance
    return {"asset": source.name(number), "number": number, "sha256": about.get("sha256") or content_sha256(asset),
            "licence": str(about.get("licence", "unknown")), "author": str(about.get("author", "")),
            "source": str(about.get("source", source.name(number))), "category": asset.category,
            "animations": len(asset.clips), "submodels": len(asset.submodels), "triangles": len(asset.faces),
            "mended": list(getattr(asset, "report", ())), "notes": list(getattr(asset, "notes", ())),
            "left_out": None, "error": None, "stderr": ""}


def _unread(source: Source, number: int, **known) -> dict:
    """The record of an asset that was left out before it was read, or could not be."""
    name = source.name(number)
    row = dict.fromkeys(ASSETS.names) | {"asset": name, "number": number, "licence": "unknown", "author": "", "source": name,
                                         "category": "unknown", "mended": [], "notes": [], "stderr": ""}
    return {"asset": row | known, "animations": []}


def file_sha256(source: Source, number: int) -> str | None:
    """SHA-256 of an asset's file, None where there is none to read."""
    if source.kind != "files":
        return None
    try:
        with open(Path(source.root, source.names[number]), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None

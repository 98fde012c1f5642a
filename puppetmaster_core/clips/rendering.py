"""From many assets to shards of clips (§4): what a folder of clips is made from, and the job that makes it (see jobs.py).

A folder holds the plan (plan.json), shards with their index (see shards.py), and what failed in them (failures/). While a shard
is made, work/ holds its assets' clips. What a shard holds follows from the plan alone: a killed run ends in the same bytes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from puppetmaster_core import __version__
from puppetmaster_core.clips.records import to_members, to_tar
from puppetmaster_core.clips.shards import damage_of, index_path, shard_name, write_shard
from puppetmaster_core.clips.sources import Source
from puppetmaster_core.clips.studio import DAY, Filming, film
from puppetmaster_core.files import whole_file, write_json
from puppetmaster_core.isolation import Outcome, restart_time_limit
from puppetmaster_core.jobs import is_done, parts, run_shards, settle

FORMAT = "puppetmaster.clips/1"


@dataclass(frozen=True)
class RenderPlan:
    """What decides every byte of the shards."""

    source: Source
    filming: Filming = field(default_factory=Filming)
    assets_a_shard: int = 250

    @property
    def shards(self) -> list[range]:
        """The numbers of the assets of each shard."""
        return parts(len(self.source), self.assets_a_shard)

    def to_dict(self) -> dict:
        """All but where the files are, which may change, and the version of what makes the clips."""
        return {"format": FORMAT, "version": __version__, **asdict(replace(self, source=replace(self.source, root="")))}


@dataclass(frozen=True)
class RenderJob:
    """Assets to shards: a `jobs.Job`. An asset's record has its `rows` of the index, and `failures`: asset, cause, detail."""

    folder: Path
    plan: RenderPlan
    time_limit: float | None = None  # seconds a clip, which Blender is told

    def items(self, shard: int) -> range:
        return self.plan.shards[shard]

    def do(self, number: int) -> dict:
        """Film asset `number` into work/. Raises what reading and filming raise."""
        name, rows, failures = self.plan.source.name(number), [], []
        self._work(number).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self._work(number)) as partial, open(partial, "wb") as tar:
            for shot in film(self.plan.source.open(number), number, name, self.plan.filming, self.time_limit or DAY):
                restart_time_limit()
                if shot.clip is None:
                    failures.append({"asset": name, "clip": shot.key, "cause": shot.reason, "detail": shot.detail})
                    continue
                data = to_tar(shot.key, to_members(shot.clip))
                rows.append({**shot.row, "offset": tar.tell(), "length": len(data)})
                tar.write(data)
        return {"rows": rows, "failures": failures}

    def failed(self, outcome: Outcome) -> dict:
        name = self.plan.source.name(outcome.job)
        return {"rows": [], "failures": [{"asset": name, "cause": outcome.error, "detail": outcome.detail}]}

    def files(self, shard: int) -> tuple[Path, Path]:
        return self.folder / shard_name(shard), index_path(self.folder, shard)

    def write(self, shard: int, records: list[dict]) -> None:
        if failures := [failure for record in records for failure in record["failures"]]:
            (self.folder / "failures").mkdir(exist_ok=True)
            write_json(_failures(self.folder, shard), failures)
        else:
            _failures(self.folder, shard).unlink(missing_ok=True)
        write_shard(self.folder, shard, [(self._work(number), record["rows"])
                                         for number, record in zip(self.items(shard), records, strict=True) if record["rows"]])
        shutil.rmtree(self.folder / "work" / f"{shard:06d}", ignore_errors=True)

    def _work(self, number: int) -> Path:
        return self.folder / "work" / f"{number // self.plan.assets_a_shard:06d}" / f"{number:06d}.tar"


def missing_shards(folder: Path, plan: RenderPlan, retry: bool = False) -> list[int]:
    """The shards still to be made, damaged ones among them, of which a line says why. retry: also those with failed assets."""
    job = RenderJob(folder, plan)
    return [shard for shard in range(len(plan.shards))
            if not is_done(job, shard) or _is_damaged(folder, shard) or (retry and _failures(folder, shard).is_file())]


def render_shards(folder: Path, plan: RenderPlan, shards: list[int], *, time_limit: float | None = None, **options
                  ) -> Iterator[Outcome]:
    """Make some shards, with the options of `jobs.run_shards`: the outcome of every asset, its result RenderJob's record."""
    shutil.rmtree(folder / "work", ignore_errors=True)  # of a killed run
    yield from run_shards(RenderJob(folder, plan, time_limit), shards, time_limit=time_limit, **options)
    shutil.rmtree(folder / "work", ignore_errors=True)


def render_clips(folder: Path, plan: RenderPlan, **options) -> Iterator[Outcome]:
    """What is missing of a folder of clips, new or not, the same way. Raises JobError where it is another plan's."""
    settle(folder, plan.to_dict())
    yield from render_shards(folder, plan, missing_shards(folder, plan), **options)


def read_failures(folder: Path) -> list[dict]:
    """What failed in the finished shards: asset, cause, detail."""
    return [failure for path in sorted((folder / "failures").glob("shard-*.json"))
            for failure in json.loads(path.read_text(encoding="utf-8"))]


def _failures(folder: Path, shard: int) -> Path:
    return folder / "failures" / f"shard-{shard:06d}.json"


def _is_damaged(folder: Path, shard: int) -> bool:
    wrong, failures = damage_of(folder, shard), _failures(folder, shard)
    try:
        json.loads(failures.read_text(encoding="utf-8") if failures.is_file() else "[]")
    except ValueError:
        wrong = f"{failures}: cannot be read, expected what failed"
    if wrong:
        tqdm.write(f"shard {shard} is made again, as {wrong}", file=sys.stderr)
    return bool(wrong)

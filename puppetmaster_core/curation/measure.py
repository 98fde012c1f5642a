"""What a run does with one asset: say what it is, and measure each of its animations. Runs in a process of its own."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from puppetmaster_core import __version__
from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.sources import Source, content_sha256
from puppetmaster_core.curation.metrics import METRICS, motion_metrics
from puppetmaster_core.isolation import still_going

FORMAT = "puppetmaster.curation/1"


@dataclass(frozen=True)
class CurationPlan:
    """What decides the tables of a run. A folder belongs to one plan."""

    source: Source
    assets_a_part: int = 200
    categories: str = ""  # SHA-256 of GObjaverse's file, "" = none was given
    picture_size: int = 192  # pixels a side of what the judge sees

    @property
    def parts(self) -> int:
        return -(-len(self.source) // self.assets_a_part)

    def assets(self, part: int) -> range:
        """The numbers of the assets of a part."""
        return range(part * self.assets_a_part, min(len(self.source), (part + 1) * self.assets_a_part))

    def to_json(self) -> str:
        """All but where the files are, which may change, and the version of what measures them."""
        own = asdict(replace(self, source=replace(self.source, root="")))
        plan = {"format": FORMAT, "version": __version__, "metrics": METRICS, **own}
        return json.dumps(plan, indent=1, ensure_ascii=False) + "\n"


def measure_asset(source: Source, number: int) -> dict:
    """What asset `number` is and how its animations move: {"asset": row, "animations": rows}. Raises what reading raises.

    An animation that cannot be measured costs itself only: its row says why, in `error`.
    """
    began = _now()
    asset = source.open(number)
    row = identify(asset, source, number) | _since(began)
    animations = []
    for index, clip in enumerate(asset.clips):
        still_going()
        began = _now()
        about = {"asset": row["asset"], "number": number, "animation": index, "name": clip.name,
                 "duration": float(clip.duration) if np.isfinite(clip.duration) else None}
        try:
            about |= motion_metrics(asset, index) | {"error": None}
        except ValueError as error:
            about |= dict.fromkeys(METRICS) | {"error": " ".join(str(error).split())}
        animations.append(about | _since(began))
    return {"asset": row, "animations": animations}


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> dict[str, float]:
    """What has passed, by the clock and of a core: on a busy machine the two are far apart."""
    return {name: round(now - then, 4) for name, now, then in zip(("seconds", "cpu_seconds"), _now(), began, strict=True)}


def identify(asset: AnimatedAsset, source: Source, number: int) -> dict:
    """An asset's row: where it comes from, whose it is, and how much of it there is."""
    about = asset.provenance
    return {"asset": source.name(number), "number": number, "sha256": about.get("sha256") or content_sha256(asset),
            "licence": str(about.get("licence", "unknown")), "author": str(about.get("author", "")),
            "source": str(about.get("source", source.name(number))), "category": asset.category,
            "animations": len(asset.clips), "submodels": len(asset.submodels), "triangles": len(asset.faces),
            "mended": list(getattr(asset, "report", ())), "notes": list(getattr(asset, "notes", ())),
            "left_out": None, "error": None, "stderr": ""}


def unread(source: Source, number: int, *, left_out: str | None = None, error: str | None = None, stderr: str = "",
           category: str = "unknown") -> dict:
    """The record of an asset that was left out before it was read, or could not be."""
    name = source.name(number)
    row = {"asset": name, "number": number, "sha256": file_sha256(source, number) if error else None, "licence": "unknown",
           "author": "", "source": name, "category": category, "animations": None, "submodels": None, "triangles": None,
           "mended": [], "notes": [], "left_out": left_out,
           "error": error, "stderr": stderr, "seconds": None, "cpu_seconds": None}
    return {"asset": row, "animations": []}


def file_sha256(source: Source, number: int) -> str | None:
    """SHA-256 of an asset's file, None where there is none to read."""
    if source.kind != "files":
        return None
    try:
        with open(Path(source.root, source.names[number]), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None

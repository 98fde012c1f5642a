"""The plan of a rendering run: it decides every byte of the shards, and a folder belongs to one plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from puppetmaster_core import __version__
from puppetmaster_core.clips.sources import Source
from puppetmaster_core.clips.studio import Filming
from puppetmaster_core.files import locked, whole_file

FORMAT = "puppetmaster.clips/1"


class PlanError(ValueError):
    """A folder that this run cannot go on in. The message is one line."""


@dataclass(frozen=True)
class Plan:
    """What a run makes: it decides every byte of the shards. Two runs with the same plan can share a folder, in turn."""

    source: Source
    filming: Filming = field(default_factory=Filming)
    assets_a_shard: int = 250

    @property
    def shards(self) -> int:
        return -(-len(self.source) // self.assets_a_shard)

    def assets(self, shard: int) -> range:
        """The numbers of the assets of a shard."""
        return range(shard * self.assets_a_shard, min(len(self.source), (shard + 1) * self.assets_a_shard))

    def to_json(self) -> str:
        """All but where the files are, which may change, and the version of what makes the clips."""
        plan = {"format": FORMAT, "version": __version__, **asdict(replace(self, source=replace(self.source, root="")))}
        return json.dumps(plan, indent=1, ensure_ascii=False) + "\n"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of `folder` while this one works. Raises PlanError."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / "plan.json"))
        except BlockingIOError:
            raise PlanError(f"{folder}: another run is at work here: wait for it, or choose another folder") from None
        yield


def settle(folder: Path, plan: Plan) -> None:
    """Make `folder` the plan's, or see that it is. Raises PlanError where another plan, or anything else, is there."""
    path = folder / "plan.json"
    if path.is_file():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise PlanError(f"{path}: cannot be read, wanted the plan of a run: choose another folder") from None
        wanted = json.loads(plan.to_json())
        if known != wanted:
            raise PlanError(f"{folder}: was rendered with {_difference(known, wanted)}: choose another folder")
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise PlanError(f"{folder}: something else is there, wanted a new folder or one that this command made")
    (folder / "index").mkdir(parents=True)
    with whole_file(path) as file:
        file.write_text(plan.to_json(), encoding="utf-8")


def _difference(known, wanted, name: str = "") -> str:
    """The first thing in which two plans differ."""
    if isinstance(known, dict) and isinstance(wanted, dict):
        for key in {**known, **wanted}:
            if known.get(key) != wanted.get(key):
                return _difference(known.get(key), wanted.get(key), key)
    shown = [f"{len(v)} names" if isinstance(v, list) else repr(v) for v in (known, wanted)]
    return f"other files under {name}" if shown[0] == shown[1] else f"{name} {shown[0]}, now {shown[1]} came"

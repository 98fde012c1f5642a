"""The ledger: every number the book prints from a result, with the paper's value, ours, and where ours comes from.

`results/ledger.json` is made from `results/*.json` by `puppetmaster claims --update`, never by hand: each claim says in which
file, and where in it, its number stands. A claim of the paper's that nothing has tested yet is in it too, as not run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from puppetmaster_core.evaluation.tables import markdown
from puppetmaster_core.files import whole_file
from puppetmaster_core.provenance import CHECKOUT

FORMAT = "puppetmaster.ledger/1"
FILE = "ledger.json"


class LedgerError(ValueError):
    """A ledger or a result that cannot be used. The message is one line: what it got, what it expected, what to do."""


@dataclass(frozen=True)
class Claim:
    """One number and what it is held against."""

    id: str  # "cabinets.tiny.psnr_moving": what was judged on, whose, which metric
    what: str  # in words
    unit: str = ""
    better: str = "higher"  # or "lower"
    digits: int = 2  # that are printed
    place: str = ""  # in the paper
    paper: float | None = None  # the paper's value
    bar: float | None = None  # what ours must reach for the claim to hold, where that is not the paper's value
    tolerance: float = 0.0  # how much worse than the bar still holds, in the unit
    ours: float | None = None
    low: float | None = None  # 95 % interval
    high: float | None = None
    clips: int | None = None
    scale: str = ""
    seeds: tuple[int, ...] = ()
    commit: str | None = None
    device: str = ""
    seconds: float | None = None
    command: str = ""
    source: str = ""  # "tiny_cabinets.json summary/model/moving/mean"
    note: str = ""

    def __post_init__(self):
        if self.better not in ("higher", "lower"):
            raise LedgerError(f"claim {self.id!r}: got better as {self.better!r}, expected higher or lower")
        for name in ("paper", "bar", "tolerance", "ours", "low", "high", "seconds"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise LedgerError(f"claim {self.id!r}: got {name} as {value!r}, expected a finite number")
        object.__setattr__(self, "seeds", tuple(self.seeds))

    @property
    def wanted(self) -> float | None:
        """What ours is held against: the bar, else the paper's value."""
        return self.paper if self.bar is None else self.bar

    @property
    def holds(self) -> str:
        """"yes" and "no" where the whole interval lies on one side of what is wanted, "unclear" where it lies on both;
        "not run", or "" where there is nothing to hold it against."""
        if self.ours is None:
            return "not run"
        if self.wanted is None:
            return ""
        sign = 1 if self.better == "higher" else -1
        least = sign * self.wanted - self.tolerance
        ends = sorted(sign * (self.ours if end is None else end) for end in (self.low, self.high))
        if ends[0] >= least:
            return "yes"
        return "no" if ends[1] < least else "unclear"

    def printed(self, value: float | None) -> str:
        """A value in the claim's digits and unit; "–" for none."""
        return "–" if value is None else f"{value:.{self.digits}f} {self.unit}".rstrip()

    @property
    def paper_figure(self) -> str:
        """The paper's value, with the digits that the paper prints; "–" for none."""
        return "–" if self.paper is None else f"{self.paper:.10g} {self.unit}".rstrip()

    @property
    def figure(self) -> str:
        """Ours with its interval, as the book prints it."""
        if self.ours is None or self.low is None or self.high is None:
            return self.printed(self.ours)
        return f"{self.printed(self.ours)} [{self.low:.{self.digits}f}, {self.high:.{self.digits}f}]"


Ledger = dict[str, Claim]  # by id, in the order of the file


def ledger(claims: Iterable[Claim]) -> Ledger:
    """Claims by id, sorted. One that was run stands for one of its id that was not; LedgerError for two that were."""
    found: Ledger = {}
    for claim in claims:
        old = found.get(claim.id)
        if old is not None and old.ours is not None and claim.ours is not None:
            raise LedgerError(f"claim {claim.id!r} comes from {old.source} and {claim.source}, expected one of them: rename it")
        if old is None or old.ours is None:
            found[claim.id] = claim
    return dict(sorted(found.items()))


def read_ledger(path: str | Path) -> Ledger:
    """The ledger of a file, or of a folder with a ledger.json. Raises LedgerError."""
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}")
        return ledger(Claim(**claim) for claim in record["claims"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise LedgerError(f"{path}: cannot be read ({reason}), expected a ledger: `puppetmaster claims --update`") from None


@cache
def checkout_ledger() -> Ledger:
    """The ledger of this checkout. Raises LedgerError."""
    return read_ledger(CHECKOUT / "results")


def claim(name: str, claims: Ledger | None = None) -> Claim:
    """The claim of an id, or LedgerError with the nearest id there is."""
    claims = checkout_ledger() if claims is None else claims
    if name not in claims:
        near = get_close_matches(name, claims, 1)
        raise LedgerError(f"no claim {name!r} in the ledger" + (f", did you mean {near[0]!r}?" if near else ""))
    return claims[name]


def claims_table(*prefixes: str, keep: Callable[[Claim], bool] = lambda claim: True, claims: Ledger | None = None) -> str:
    """The claims whose ids begin with a prefix (none: all), in Markdown: the paper's figure, ours, and whether it holds."""
    claims = checkout_ledger() if claims is None else claims
    kept = [c for name, c in claims.items() if (not prefixes or name.startswith(prefixes)) and keep(c)]
    if not kept:
        return "None yet."
    return markdown([("claim", "paper", "ours", "holds?", "scale", "clips", "made by"), *map(_cells, kept)], left=(0, 3, 4, 6))


def _cells(one: Claim) -> list[str]:
    """A row of the table."""
    place, note = f" ({one.place})" if one.place else "", f"; {one.note}" if one.note else ""
    than = f" (wanted: {'at least' if one.better == 'higher' else 'at most'} {one.printed(one.bar)})"
    against = than if one.bar is not None and one.ours is not None else ""
    made = (one.command and f"`{one.command}`", one.commit and f"`{one.commit[:8]}`", one.device,
            one.seconds and f"{one.seconds:.0f} s")
    return [f"{one.what}{place}{note}", one.paper_figure, one.figure, f"{one.holds or '–'}{against}", one.scale,
            str(one.clips or ""), " · ".join(filter(None, made))]


def ledger_text(claims: Ledger) -> str:
    """The file's text, equal for equal claims. Fields that say nothing are left out."""
    everything = map(asdict, claims.values())
    plain = [{name: value for name, value in claim.items() if value not in (None, "", (), [])} for claim in everything]
    return json.dumps({"format": FORMAT, "claims": plain}, indent=1, ensure_ascii=False) + "\n"


def write_ledger(claims: Ledger, path: str | Path) -> None:
    """Write the ledger whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(ledger_text(claims), encoding="utf-8")


def value_at(record: Mapping, place: str):
    """What stands at "summary/model/moving/mean" of a result; a number picks from a list. Raises LedgerError."""
    value = record
    for step in place.split("/"):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise LedgerError(f"{place!r} is not in the result: {step!r} is missing") from None
    return value

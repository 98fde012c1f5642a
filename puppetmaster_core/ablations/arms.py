"""The arms of every table: which network, on which clips, from which weights (Tables 2 and 3, §5.2). An arm is data, not code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from puppetmaster_core.baselines import MECHANISMS
from puppetmaster_core.model import DragUNet
from puppetmaster_core.presets import ABLATION


class AblationError(ValueError):
    """A grid that cannot be run, or shown, as asked. The message is one line: what it got, what it expected, what to do."""


@dataclass(frozen=True)
class Arm:
    """One line of a table."""

    name: str  # of its files, too
    label: str  # in tables
    network: dict = field(default_factory=dict)  # what differs from the scale's `DragUNet`
    mechanism: str = ""  # of baselines.MECHANISMS, "" for `DragUNet` itself
    bad: float = 0.0  # share of bad animations among its clips
    residual: bool = True  # latents; where attention is compared, the whole appearance is generated
    begin: str = ""  # "pretrained": the weights that `pretraining` makes

    def build(self) -> DragUNet:
        """The network, with random weights from torch's generator."""
        known = ABLATION.unet | {"reference_scale": 0.0 if self.residual else 1.0} | self.network
        return MECHANISMS[self.mechanism](**known) if self.mechanism else DragUNet(**known)


A = {"modulation": "shift", "end_location": False, "drag_tokens": False}
B = {"modulation": "scale_shift", "end_location": False, "drag_tokens": False}
C = {"modulation": "scale_shift", "end_location": True, "drag_tokens": False}
ATTENTION = {"none": "spatial", "static": "static_reference", "first": "all_to_first"}
ATTENTION_LABELS = {"none": "no attention", "static": "static reference video", "first": "all-to-first"}
DOSES = (0.375, 0.75, 1.0)  # the paper's own, as 6k of its 16k animations go; and more


def _attention(begin: str) -> tuple[Arm, ...]:
    """On C, with latents whose whole appearance is generated."""
    said = {"pretrained": "pre-trained", "nothing": "from nothing"}[begin]
    return tuple(Arm(f"{how}-{begin}", f"{ATTENTION_LABELS[how]}, {said}", C | {"attention": attention}, residual=False,
                     begin=begin if begin == "pretrained" else "") for how, attention in ATTENTION.items())


_ALL = (
    Arm("A", "A: shift only, no end location", A),
    Arm("B", "B: shift and scale, no end location", B),
    Arm("C", "C: shift and scale, end location", C),
    Arm("D", "D: C and drag tokens"),
    *_attention("pretrained"),
    *(Arm(f"bad-{round(100 * dose)}", f"D, {100 * dose:g} % bad animations", bad=dose) for dose in DOSES),
    *(Arm(name.replace(" ", "-"), name, mechanism=name) for name in MECHANISMS),
    *_attention("nothing"),
    Arm("no-drags", "no drags: chance", {"modulation": "none", "drag_tokens": False}),
)
ARMS = {arm.name: arm for arm in _ALL}

# The arms of each table, in its order. One arm may stand in several.
TABLES = {
    "drags": ("no-drags", "A", "B", "C", "D"),
    "attention": tuple(f"{how}-pretrained" for how in ATTENTION),
    "attention-from-nothing": tuple(f"{how}-nothing" for how in ATTENTION),
    "less-is-more": ("D", *(f"bad-{round(100 * dose)}" for dose in DOSES)),
    "mechanisms": ("D", *(name.replace(" ", "-") for name in MECHANISMS)),
}
TITLES = {
    "drags": "Table 2, drag conditioning",
    "attention": "Table 2, attention with the reference, after pre-training on another look",
    "attention-from-nothing": "The same from nothing",
    "less-is-more": "Table 3, less is more",
    "mechanisms": "Six mechanisms on one backbone",
}


def chosen(tables: Sequence[str] = (), arms: Sequence[str] = ()) -> list[Arm]:
    """The arms of some tables, and some by name; without any: all, the first table's ends first. Raises AblationError."""
    for name, known, what in [*((t, TABLES, "table") for t in tables), *((a, ARMS, "arm") for a in arms)]:
        if name not in known:
            near = get_close_matches(name, known, 1, 0.4)
            raise AblationError(f"got {what} {name!r}, expected one of {', '.join(known)}"
                                + (f": did you mean {near[0]!r}?" if near else ""))
    names = [*arms, *(arm for table in tables for arm in TABLES[table])] or ["A", "D", *ARMS]
    return [ARMS[name] for name in dict.fromkeys(names)]

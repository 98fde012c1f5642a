"""How things move in time: ease profiles, and joints that open, close or stay. Letters: K keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from procedural_library.rig import Rig
from procedural_library.turns import turn


def smoothstep(s: np.ndarray) -> np.ndarray:
    """3s² − 2s³ between 0 and 1, flat outside: a slow start and a slow stop."""
    s = np.clip(s, 0.0, 1.0)
    return s * s * (3 - 2 * s)


PROFILES = {  # progress at time s, both from 0 to 1
    "linear": lambda s: s,
    "smooth": smoothstep,
    "faster": lambda s: s**1.8,
    "slower": lambda s: 1 - (1 - s) ** 1.8,
    "late": lambda s: smoothstep((s - 0.25) / 0.75),
    "early": lambda s: smoothstep(s / 0.75),
    "overshoot": lambda s: smoothstep(s) + 0.12 * np.sin(np.pi * s) ** 2 * s,
    "there and back": lambda s: smoothstep(1 - np.abs(2 * s - 1)),
}
_ODDS = (0.45, 0.2, 0.08, 0.08, 0.05, 0.05, 0.03, 0.06)  # mostly at one speed, as in Drag-a-Move


def profile(rng: np.random.Generator, clock: np.ndarray, forth: float | None = None) -> np.ndarray:
    """Progress (K,) of one motion over the animation. `forth`: how likely it is to go forth, else it goes back; None: always."""
    go = PROFILES[str(rng.choice(list(PROFILES), p=_ODDS))](clock)
    return go if forth is None or rng.random() < forth else 1 - go


def duration(rng: np.random.Generator) -> float:
    """Seconds an animation lasts: 0.8 to 3, in 24ths."""
    return float(rng.integers(20, 73)) / 24


@dataclass(frozen=True)
class Movable:
    """A joint that may move: along `axis` by lengths ("slide") or about it by radians ("turn"), up to `reach`."""

    node: int
    kind: str
    axis: tuple[float, float, float]
    reach: float
    size: float = 1.0  # how likely it is chosen
    least: float = 0.0  # the smallest it may be, as a share of reach
    follow: list = field(default_factory=list)  # (node, kind, axis, gear): nodes that move along, gear times as far


def drive(rng: np.random.Generator, rig: Rig, movables: list[Movable], most: int = 3) -> None:
    """Let one to `most` of the joints move, mostly one; the others stay shut, one in eight ajar.

    Half of all assets open, half close; parts that move together mostly share their timing.
    """
    odds = np.array([0.72, 0.2, 0.08])[: min(most, len(movables), 3)]
    count = 1 + int(rng.choice(len(odds), p=odds / odds.sum()))
    size = np.array([m.size for m in movables])
    chosen = set(rng.choice(len(movables), count, replace=False, p=size / size.sum()).tolist())
    opens, shared = rng.random() < 0.5, profile(rng, rig.clock)
    for i, movable in enumerate(movables):
        if i in chosen:
            shut, wide = rng.uniform(0.0, 0.15), rng.uniform(0.55, 1.0)
            way = opens if rng.random() < 0.85 else not opens
            progress = shared if rng.random() < 0.7 else profile(rng, rig.clock)
            ends = (shut, wide) if way else (wide, shut)
            share = ends[0] + (ends[1] - ends[0]) * progress
            _move(rig, movable, movable.least + (1 - movable.least) * share)
        elif rng.random() < 0.125 or movable.least:
            _leave(rig, movable, movable.least + (1 - movable.least) * rng.uniform(0.1, 0.5))


def _move(rig: Rig, movable: Movable, share: np.ndarray) -> None:
    q = share * movable.reach
    for node, kind, axis, gear in ((movable.node, movable.kind, movable.axis, 1.0), *movable.follow):
        if kind == "slide":
            rig.slide(node, gear * q[:, None] * np.asarray(axis, float))
        else:
            rig.rotate(node, turn(axis, gear * q))


def _leave(rig: Rig, movable: Movable, share: float) -> None:
    for node, kind, axis, gear in ((movable.node, movable.kind, movable.axis, 1.0), *movable.follow):
        q = gear * share * movable.reach
        if kind == "turn":
            rig.pose(node, turn(axis, q))
        else:
            rig.slide(node, np.repeat([q * np.asarray(axis, float)], 2, 0))


def sway(clock: np.ndarray, cycles: float, phase: float = 0.0, size: float = 1.0) -> np.ndarray:
    """A sine wave (K,): `cycles` in the animation, starting at `phase` radians."""
    return size * np.sin(2 * np.pi * cycles * clock + phase)

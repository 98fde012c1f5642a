"""Animations that curation must reject, made from good objects: nothing moves, everything moves as one, or it is nonsense.

Each takes a random good asset, takes its own animation away, and puts in what its name says. Letters: K keys.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from procedural_library.motion import profile, sway
from procedural_library.rig import Rig
from procedural_library.turns import after, slerp, turn


def shape(rng: np.random.Generator, recipes: dict, rigid: bool = False) -> Rig:
    """A good asset of any category; `rigid`: one of three parts or more, none of them skinned."""
    while True:
        name = str(rng.choice(list(recipes)))
        rig = recipes[name].build(np.random.default_rng([zlib.crc32(name.encode()), int(rng.integers(2**40))]))
        skinned = any(piece[2] for part in rig.parts for piece in part.pieces)
        if not rigid or (len(rig.parts) >= 3 and not skinned):
            rig.shape = name
            return rig


def freeze(rig: Rig, at: float) -> None:
    """Hold every channel where it is at the share `at` of the animation."""
    moment = np.array([at * rig.duration])
    for key, channel in rig.channels.items():
        rig.channels[key] = replace(channel, times=channel.times[[0, -1]],
                                    values=np.repeat(channel.at(moment), 2, 0).astype(np.float32),
                                    interpolation="LINEAR")


def static(rng, recipes) -> Rig:
    """Nothing moves."""
    rig = shape(rng, recipes)
    freeze(rig, rng.random())
    return rig


def tiny(rng, recipes) -> Rig:
    """What should move moves by a hundredth or less of its way."""
    rig = shape(rng, recipes)
    share = 10 ** rng.uniform(-4, -2)
    for key, channel in rig.channels.items():
        first = np.repeat(channel.values[:1].astype(float), len(channel.values), 0)
        if key[1] == "rotation":
            values = slerp(first, channel.values.astype(float), np.full(len(first), share))
        else:
            values = first + share * (channel.values - first)
        rig.channels[key] = replace(channel, values=values.astype(np.float32))
    return rig


def translation(rng, recipes) -> Rig:
    """The whole object glides, straight or along an arc."""
    rig = shape(rng, recipes)
    freeze(rig, rng.random())
    way = rng.normal(size=3) * (1, 0.5, 1)
    way *= rng.uniform(0.4, 2.5) / np.linalg.norm(way) * _extent(rig)
    go = profile(rng, rig.clock)[:, None]
    bow = np.array((0, rng.uniform(-0.5, 0.5) * _extent(rig), 0)) * np.sin(np.pi * go) if rng.random() < 0.4 else 0
    rig.slide(0, go * way + bow)
    return rig


def spin(rng, recipes) -> Rig:
    """The whole object turns about one axis."""
    rig = shape(rng, recipes)
    freeze(rig, rng.random())
    axis = (0, 1, 0) if rng.random() < 0.75 else rng.normal(size=3)
    angle = rng.choice([-1, 1]) * rng.uniform(0.7, 2 * np.pi) * (rig.clock if rng.random() < 0.7 else profile(rng, rig.clock))
    rig.rotate(0, after(turn(axis, angle), np.array(rig.nodes[0].rotation)))
    return rig


def scaling(rng, recipes) -> Rig:
    """The whole object swells, shrinks, pulses, or stretches along one axis."""
    rig = shape(rng, recipes)
    freeze(rig, rng.random())
    end = rng.uniform(1.4, 3.0) if rng.random() < 0.5 else rng.uniform(0.02, 0.6)
    go = profile(rng, rig.clock) if rng.random() < 0.7 else 0.5 - 0.5 * sway(rig.clock, 2, np.pi / 2)
    factor = end**go
    axes = np.ones(3) if rng.random() < 0.75 else np.eye(3)[rng.integers(3)]
    rig.key(0, "scale", factor[:, None] ** axes)
    return rig


def explode(rng, recipes) -> Rig:
    """The parts fly apart, some turning as they go, or come together from afar."""
    rig = shape(rng, recipes, rigid=True)
    freeze(rig, rng.random())
    size, go = _extent(rig), profile(rng, rig.clock, forth=0.75)
    for node in _loose(rig):
        way = rng.normal(size=3)
        rig.slide(node, np.outer(go, way / np.linalg.norm(way) * rng.uniform(0.5, 2.0) * size))
        if rng.random() < 0.6:
            rig.rotate(node, turn(rng.normal(size=3), rng.uniform(0.5, 5) * go))
    return rig


def teleport(rng, recipes) -> Rig:
    """Parts, or the whole object, jump from place to place with nothing between."""
    rig = shape(rng, recipes, rigid=rng.random() < 0.6)
    freeze(rig, rng.random())
    size, jumps = _extent(rig), int(rng.integers(2, 5))
    loose = _loose(rig)
    nodes = loose[: max(1, int(rng.integers(1, len(loose) + 1)))] if len(loose) >= 2 and rng.random() < 0.6 else [0]
    for node in nodes:
        places = np.concatenate([np.zeros((1, 3)), rng.normal(size=(jumps, 3)) * rng.uniform(0.2, 0.8) * size])
        own = rig.nodes[node]
        origin = own.place - (rig.nodes[own.parent].place if own.parent >= 0 else 0)
        rig.key(node, "translation", origin + np.repeat(places, 2, 0), "STEP")
        if rng.random() < 0.4:
            turns = turn((0, 1, 0), rng.uniform(-3, 3, len(places)))
            rig.key(node, "rotation", after(turns, np.array(own.rotation)), "STEP")
    return rig


def jitter(rng, recipes) -> Rig:
    """Parts, or the whole object, tremble at random, a new place at every key."""
    rig = shape(rng, recipes)
    freeze(rig, rng.random())
    size = _extent(rig) * rng.uniform(0.02, 0.15)
    loose = _loose(rig)
    for node in loose if len(loose) >= 2 and rng.random() < 0.7 else [0]:
        rig.slide(node, rng.normal(size=(49, 3)) * size)
        if rng.random() < 0.5:
            trembling = turn((0, 1, 0), rng.normal(size=49) * 0.3)
            rig.rotate(node, after(trembling, np.array(rig.nodes[node].rotation)))
    return rig


def _loose(rig: Rig) -> list[int]:
    """Nodes to pull about, a new one a part, below what holds it."""
    out = []
    for part in rig.parts:
        if any(piece[2] for piece in part.pieces):
            continue
        part.node = rig.node(f"{part.name} loose", rig.nodes[part.node].place, part.node)
        out.append(part.node)
    return out


def _extent(rig: Rig) -> float:
    """The longest side of the box around all that is built."""
    points = np.concatenate([piece[0].vertices for part in rig.parts for piece in part.pieces])
    return float(np.ptp(points, axis=0).max())

"""What two-legged figures do: walk, run, wave, squat, kick, bow… Letters: K keys.

Bones are those of people.skeleton. Turning about +x swings a hanging limb backwards and bends a standing spine forwards;
about +z it lifts the left arm sideways and lowers the right one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from procedural_library.motion import profile, sway
from procedural_library.rig import Rig
from procedural_library.turns import euler

Pose = dict[str, tuple]  # bone → (x, y, z) radians, each a number or (K,)


def perform(rng: np.random.Generator, rig: Rig, joints: dict[str, int]) -> None:
    """One gesture, keyed on the bones; what it leaves alone may idle a little."""
    name = str(rng.choice(list(GESTURES)))
    rig.name = f"{rig.nodes[0].name} {name}"
    idle = {"chest": (sway(rig.clock, 1, size=0.02), 0, 0)} if rng.random() < 0.4 else {}
    pose = idle | GESTURES[name](rng, rig.clock)
    drop = pose.pop("drop", None)
    for bone, angles in pose.items():
        rig.rotate(joints[bone], np.broadcast_to(euler(*angles), (len(rig.clock), 4)))
    if drop is not None:  # in lengths of a leg: (y, z)
        long = rig.nodes[joints["left thigh"]].place[1]
        y, z = (np.broadcast_to(d, rig.clock.shape) * long for d in drop)
        rig.slide(joints["hips"], np.stack([0 * rig.clock, y, z], 1))


def _gait(clock, cycles, phase, swing, knee, arms, elbow, lean, bob) -> Pose:
    pose: Pose = {"spine": (lean, 0, 0), "drop": (sway(2 * clock, cycles, phase * 2, bob) - bob, 0.0)}
    for side, p in (("left", phase), ("right", phase + np.pi)):
        pose[f"{side} thigh"] = (-sway(clock, cycles, p, swing) - 0.3 * lean, 0, 0)
        pose[f"{side} shin"] = (0.1 + knee * np.maximum(0, sway(clock, cycles, p + np.pi / 2)), 0, 0)
        pose[f"{side} foot"] = (0.3 * sway(clock, cycles, p - 0.5, swing), 0, 0)
        pose[f"{side} arm"] = (sway(clock, cycles, p, arms), 0, 0)
        pose[f"{side} forearm"] = (-elbow - 0.25 * arms * (1 - sway(clock, cycles, p)), 0, 0)
    pose["chest"] = (0, sway(clock, cycles, phase, 0.15 * swing), 0)
    return pose


def _walk(rng, clock) -> Pose:
    return _gait(clock, rng.choice([1.0, 2.0]), rng.uniform(0, 6.28), rng.uniform(0.35, 0.6), rng.uniform(0.6, 1.0),
                 rng.uniform(0.25, 0.6), 0.15, 0.03, 0.012)


def _run(rng, clock) -> Pose:
    return _gait(clock, rng.choice([1.0, 2.0]), rng.uniform(0, 6.28), rng.uniform(0.7, 1.0), rng.uniform(1.2, 1.7),
                 rng.uniform(0.6, 1.0), 1.1, 0.22, 0.035)


def _sides(rng) -> tuple[tuple[str, float], ...]:
    both = (("left", 1.0), ("right", -1.0))
    return both if rng.random() < 0.4 else (both[rng.integers(2)],)


def _wave(rng, clock) -> Pose:
    side, sign = _sides(rng)[0]
    up = rng.uniform(1.9, 2.5)
    return {f"{side} arm": (0, 0, sign * up), f"{side} forearm": (0, 0, sign * (0.5 + sway(clock, rng.choice([1.0, 2.0]),
                                                                                           size=0.55))),
            "head": (0, sign * 0.15, 0)}


def _raise(rng, clock) -> Pose:
    go, pose = profile(rng, clock), {}
    if rng.random() < 0.5:
        go = 1 - go
    forwards, high = rng.random() < 0.5, rng.uniform(1.2, 2.7)
    for side, sign in _sides(rng):
        pose[f"{side} arm"] = (-high * go, 0, 0) if forwards else (0, 0, sign * high * go)
        pose[f"{side} forearm"] = (-rng.uniform(0, 0.5) * go, 0, 0)
    return pose


def _squat(rng, clock) -> Pose:
    go = profile(rng, clock)
    bend = rng.uniform(0.7, 1.25) * (go if rng.random() < 0.6 else 1 - go)
    pose: Pose = {"spine": (0.45 * bend, 0, 0), "drop": (0.97 * (np.cos(bend) - 1) * 0.96, 0.0)}
    for side in ("left", "right"):
        pose |= {f"{side} thigh": (-bend, 0, 0), f"{side} shin": (2 * bend, 0, 0), f"{side} foot": (-bend, 0, 0),
                 f"{side} arm": (-0.9 * bend, 0, 0), f"{side} forearm": (-0.3 * bend, 0, 0)}
    return pose


def _kick(rng, clock) -> Pose:
    go, side = profile(rng, clock), str(rng.choice(["left", "right"]))
    other = "right" if side == "left" else "left"
    return {f"{side} thigh": (0.5 - rng.uniform(1.3, 2.0) * go, 0, 0), f"{side} shin": (1.3 * (1 - go), 0, 0),
            "spine": (-0.2 * go, 0, 0), f"{other} arm": (0.4 - 1.0 * go, 0, 0), f"{side} arm": (-0.4 + 1.0 * go, 0, 0)}


def _punch(rng, clock) -> Pose:
    go = profile(rng, clock)
    side, sign = _sides(rng)[0]
    return {f"{side} arm": (0.6 - 2.1 * go, 0, 0), f"{side} forearm": (-2.0 * (1 - go), 0, 0),
            "chest": (0, sign * (0.35 - 0.75 * go), 0), "left thigh": (-0.25, 0, 0), "right thigh": (0.25, 0, 0)}


def _bow(rng, clock) -> Pose:
    go, deep = profile(rng, clock), rng.uniform(0.3, 0.7)
    if rng.random() < 0.4:
        go = 1 - go
    hang = {f"{s} arm": (-1.5 * deep * go, 0, 0) for s in ("left", "right")} if rng.random() < 0.6 else {}
    return {"spine": (deep * go, 0, 0), "chest": (0.7 * deep * go, 0, 0), "head": (0.3 * deep * go, 0, 0), **hang}


def _jacks(rng, clock) -> Pose:
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * clock * rng.choice([0.5, 1.0, 2.0]))
    return {f"{side} {limb}": (0, 0, sign * size * beat) for side, sign in (("left", 1), ("right", -1))
            for limb, size in (("arm", 2.6), ("thigh", 0.45))}


def _look(rng, clock) -> Pose:
    go = profile(rng, clock)
    return {"head": (rng.uniform(-0.2, 0.3) * go, rng.choice([-1, 1]) * rng.uniform(0.6, 1.2) * go, 0),
            "chest": (0, rng.choice([-1, 1]) * rng.uniform(0.1, 0.6) * go, 0)}


def _dance(rng, clock) -> Pose:
    cycles, pose = rng.choice([1.0, 2.0]), {}
    for side, sign in (("left", 1), ("right", -1)):
        p = rng.uniform(0, 6.28)
        pose[f"{side} arm"] = (sway(clock, cycles, p, 0.5) - 0.5, 0, sign * (1.0 + sway(clock, cycles, p, 0.6)))
        pose[f"{side} forearm"] = (-1.0 + sway(clock, cycles, p + 1, 0.5), 0, 0)
        pose[f"{side} thigh"] = (-0.25 + sway(clock, cycles, p, 0.2), 0, sign * 0.12)
        pose[f"{side} shin"] = (0.35 + sway(clock, cycles, p, 0.25), 0, 0)
    pose |= {"spine": (0, 0, sway(clock, cycles, size=0.15)), "chest": (0, sway(clock, cycles, 1.0, 0.3), 0),
             "head": (sway(clock, cycles, size=0.15), 0, 0), "drop": (sway(clock, 2 * cycles, size=0.02) - 0.03, 0.0)}
    return pose


def _lift_leg(rng, clock) -> Pose:
    go, side, _sign = profile(rng, clock), *_sides(rng)[0]
    high = rng.uniform(0.8, 1.6)
    return {f"{side} thigh": (-high * go, 0, 0), f"{side} shin": (rng.uniform(0.6, 1.2) * high * go, 0, 0),
            "left arm": (0, 0, 0.6 * go), "right arm": (0, 0, -0.6 * go)}


GESTURES: dict[str, Callable[..., Pose]] = {
    "walk": _walk, "run": _run, "wave": _wave, "raise": _raise, "squat": _squat, "kick": _kick, "punch": _punch, "bow": _bow,
    "jumping jacks": _jacks, "look": _look, "dance": _dance, "lift a leg": _lift_leg,
}

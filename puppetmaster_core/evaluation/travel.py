"""Which way did the part go? Exact where the clip is rendered: the motion of the part that explains the pictures best.

A tracker guesses; here the object is known. It is drawn with the dragged part moving by many shares of its true motion, also
against it, and the share most like the generated frames is the part's travel: 1 = as it should, 0 = did not move, negative =
moved against the drag. Ours, not the paper's: it stands for the paper's counting by hand of wrong directions (Table 2, %WD).

Letters: N frames, V vertices, S shares, M videos, T pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.render import Camera, render

POSITIONS = np.linspace(-1.0, 1.25, 19)  # steps of an eighth of the true travel
JUDGED = 7  # frames of a video, at the most
TELLING = 8  # grey levels: a pixel tells shares apart where its colour differs by more between them
RIGID = 1e-3  # of a part's size: a part is rigid where no vertex leaves the best rigid motion by more


def judged_frames(frames: int) -> np.ndarray:
    """Which frames of a video are looked at: the last one, and before it some evenly spread, never the first."""
    return np.unique(np.linspace(1, frames - 1, JUDGED).round().astype(int))


def part_travel(videos: Sequence[np.ndarray], asset: AnimatedAsset, positions: np.ndarray, camera: Camera,
                part: int) -> list[float]:
    """Travel of sub-model `part` of any asset in each of the videos (N, H, W, 3) uint8, in units of its true motion.

    positions: (N, V, 3), the vertices of the true video. Frames of all of it count, so that a motion which comes back to where
    it began is judged like any other. NaN where no pixel tells.
    """
    total, told, size = np.zeros((len(videos), len(POSITIONS))), False, videos[0].shape[1]
    for n, _, telling, drawn in at_shares(asset, positions, camera, part, judged_frames(len(positions)), size):
        told, drawn = told or telling.any(), drawn.astype(np.float32)
        total += [np.square(drawn - video[n][telling]).sum((1, 2), dtype=np.float64) for video in videos]
    return [float(POSITIONS[error.argmin()]) if told else float("nan") for error in total]


def at_shares(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, part: int, frames: Iterable[int], size: int
              ) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """In each of some frames, the object with sub-model `part` moved by each of POSITIONS of its way: the frame, its vertices
    (S, V, 3), which pixels tell these apart (size, size) bool, and what they would show (S, T, 3) uint8. positions: as above."""
    own = np.unique(asset.faces[asset.submodel == part])
    motion = ScrewMotion.of(positions[:, own])
    for n in frames:
        moved = np.repeat(positions[n][None], len(POSITIONS), 0)
        moved[:, own] = motion.by(POSITIONS, n)
        drawn = render(asset, moved, camera, size).frames
        telling = np.ptp(drawn, axis=0).max(-1) > TELLING
        yield n, moved, telling, drawn[:, telling]


@dataclass(frozen=True, eq=False)
class ScrewMotion:
    """How a part moves, so that it can be moved by any share of that: a rigid part along its screw, which is a hinge's circle
    or a slider's line, any other along straight lines, vertex by vertex."""

    moved: np.ndarray  # (N, V, 3)
    turn: np.ndarray | None  # (N, 3) rotation vector since frame 1, beyond a half turn too; None: not rigid
    glide: np.ndarray | None  # (N, 3) what a screw about the part's centre moves by besides

    @classmethod
    def of(cls, moved: np.ndarray) -> ScrewMotion:
        """Of a part's vertices (N, V, 3)."""
        rest, centre = moved[0], moved[0].mean(0)
        turn, glide = np.zeros((len(moved), 3)), np.zeros((len(moved), 3))
        for n in range(1, len(moved)):
            now = moved[n].mean(0)
            with np.errstate(all="ignore"):
                rotation, _ = Rotation.align_vectors(moved[n] - now, rest - centre)
            gone = np.abs(rotation.apply(rest - centre) + now - moved[n]).max()
            if gone > RIGID * np.ptp(rest, axis=0).max():
                return cls(moved, None, None)
            turn[n] = _nearest_turn(rotation.as_rotvec(), turn[n - 1])
            glide[n] = np.linalg.lstsq(_screw(turn[n]), now - centre, rcond=1e-6)[0]
        return cls(moved, turn, glide)

    def by(self, shares: np.ndarray, frame: int) -> np.ndarray:
        """Vertices (S, V, 3) in `frame` had the part moved by each of `shares` (S,) of its way; 1: as it did."""
        rest = self.moved[0]
        if self.turn is None:
            return rest + shares[:, None, None] * (self.moved[frame] - rest)
        centre, turns = rest.mean(0), shares[:, None] * self.turn[frame]
        shifts = np.stack([_screw(turn) @ (share * self.glide[frame]) for turn, share in zip(turns, shares, strict=True)])
        return np.stack([r.apply(rest - centre) for r in Rotation.from_rotvec(turns)]) + (centre + shifts)[:, None]


def _nearest_turn(turn: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The rotation vector (3,) of the same rotation that lies nearest to the one before: a wheel turns on beyond a half turn."""
    angle = np.linalg.norm(turn)
    if angle < 1e-9:
        axis = before / max(np.linalg.norm(before), 1e-9)
        return axis * 2 * np.pi * round(np.linalg.norm(before) / (2 * np.pi))
    whole = [turn + turn / angle * 2 * np.pi * k for k in range(-8, 9)]
    return min(whole, key=lambda one: np.linalg.norm(one - before))


def _screw(turn: np.ndarray) -> np.ndarray:
    """The left Jacobian of SO(3), e.g. Solà et al. 2018, Eq. 145: J (3, 3) of a rotation vector (3,).

    exp of a screw (turn, glide) moves its origin by J(turn) · glide.
    """
    angle = np.linalg.norm(turn)
    if angle < 1e-9:
        return np.eye(3)
    x, y, z = turn / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + (1 - np.cos(angle)) / angle * cross + (1 - np.sin(angle) / angle) * cross @ cross

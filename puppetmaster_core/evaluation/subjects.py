"""Unseen clips of the procedural library, all categories in turn, with all that is known of them: what can be judged exactly.

Letters: N frames, V vertices, P points, K drags, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from puppetmaster_core.assets import AnimatedAsset, asset_source
from puppetmaster_core.clips import Clip
from puppetmaster_core.clips.sources import TEST_SEEDS, Source, SourceError, find_source
from puppetmaster_core.clips.studio import Filming, film
from puppetmaster_core.clips.tracks import SurfacePoints, in_sight, track
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.motion import foreground_points
from puppetmaster_core.evaluation.places import PATCH, SIDE, offsets_of_points
from puppetmaster_core.evaluation.travel import judged_frames, part_travel
from puppetmaster_core.render import Camera, render

ALL = "all"
TRIES = 10  # assets opened for each clip wanted, at the most


@dataclass(frozen=True, eq=False)
class Subject:
    """A clip and the object that it shows, where that is known."""

    name: str  # CATEGORY-SEED
    clip: Clip
    asset: AnimatedAsset | None = None
    positions: np.ndarray | None = None  # (N, V, 3), as drawn

    @property
    def group(self) -> str:
        """Of the library's groups: furniture, bodies, daily or soft; without an object the clip's category."""
        return asset_source().CATEGORIES[self.asset.provenance["shape"]].group if self.asset else self.clip.category

    def drags(self, most: int) -> Drags:
        """Those that the clip is labelled with, at most so many."""
        return Drags(self.clip.drags[:most])

    def dragged_parts(self, drags: Drags) -> list[int]:
        """The sub-models, sorted, on which drags of this clip begin."""
        columns, rows = (drags.points[:, 0] * self.clip.frames.shape[1]).astype(int).T
        return np.unique(self.clip.part_ids[0][rows, columns]).tolist()

    @property
    def camera(self) -> Camera:
        return Camera(**self.clip.camera)

    def travel(self, videos: dict[str, np.ndarray], parts: list[int]) -> dict[str, list[float]]:
        """What `part_travel` says of each of `parts` in each of the videos (N, S, S, 3) uint8; nothing without an object."""
        if self.asset is None:
            return {name: [] for name in videos}
        told = [part_travel(list(videos.values()), self.asset, self.positions, self.camera, part) for part in parts]
        return {name: [one[i] for one in told] for i, name in enumerate(videos)}

    def undragged(self, parts: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Points of the object outside of the dragged `parts`: tracks (P, N, 2), xy in [0, 1], and when these can be told (P, N).

        They lie on the grid of `foreground_points` over frame 1, and count where they are in sight and no dragged part is about
        them, now or in frame 1: how that looks is judged apart.
        """
        size = self.clip.frames.shape[1]
        drawn = render(self.asset, self.positions, self.camera, size)
        dragged = np.isin(drawn.part_ids, parts)
        x, y = foreground_points((drawn.face[0] >= 0) & ~dragged[0]).astype(int).T
        surface = SurfacePoints(drawn.face[0][y, x], drawn.barycentric[0][y, x].astype(np.float64))
        world = surface.positions(self.asset, self.positions)
        tracks = track(world, self.camera)
        near = maximum_filter(dragged | dragged[:1], (1, *2 * [PATCH * max(1, size // SIDE)]))  # (N, S, S)
        at = np.clip((tracks * size).astype(int), 0, size - 1)
        clear = ~near[np.arange(len(near)), at[..., 1], at[..., 0]]
        return tracks, clear & in_sight(world, self.camera, self.asset, self.positions)

    def off_place(self, videos: dict[str, np.ndarray], parts: list[int]) -> dict[str, float]:
        """Mean offset, pixels at 64, of what is seen of the object outside of the dragged `parts`, in each of the videos; NaN
        where nothing is left. See `places`."""
        if self.asset is None:
            return dict.fromkeys(videos, float("nan"))
        frames, (tracks, seen) = judged_frames(len(self.clip.frames)), self.undragged(parts)
        truth = self.clip.frames[frames]
        found = {name: offsets_of_points(video[frames], truth, tracks[:, frames], seen[:, frames])
                 for name, video in videos.items()}
        return {name: float(np.nanmean(one)) if np.isfinite(one).any() else float("nan") for name, one in found.items()}


def unseen_source(kinds: str = ALL) -> Source:
    """The assets that no training has seen: of all good categories, or of one category or group. Raises SourceError."""
    return find_source("library" if kinds == ALL else f"library:{kinds}", first=TEST_SEEDS)


def unseen_subjects(count: int, size: int, frames: int, kinds: str = ALL, rules: str = "paper") -> Iterator[Subject]:
    """`count` of them, categories in turn, labelled by `rules` (of `clips.drag_sampling.RULES`), with displacement of their size.

    What shows no motion from any side that was tried is passed over. Raises SourceError, also where nearly all is.
    """
    source, found = unseen_source(kinds), 0
    how = Filming(size=size, frames=frames, rules=rules, field_size=size)
    for number in range(TRIES * count):
        asset, name = source.open(number), source.name(number)
        shot = next(film(asset, number, name, how))
        if shot.clip is not None:
            yield Subject(name, shot.clip, asset, asset.trajectories(0, asset.sample_times(0, frames)))
            found += 1
        if found == count:
            return
    raise SourceError(f"{kinds}: {found} of {TRIES * count} assets can be seen to move, expected {count}: name another category")

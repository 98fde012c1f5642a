"""Pictures with drags for the chapter of the paper's figures: unseen cabinets, objects of the library, photographs, backgrounds.

Letters: N frames, K drags, H = W pixels a side of a rendered picture. Places are xy in the unit square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from scipy import ndimage

from puppetmaster_core.clips import Clip
from puppetmaster_core.clips.displacement import moves
from puppetmaster_core.clips.sources import TEST_SEEDS, find_source
from puppetmaster_core.clips.studio import Filming, filmed
from puppetmaster_core.drags import Drags
from puppetmaster_core.render.backgrounds import over

SEARCH = 20  # seeds that are tried for an object that can be seen to move
# Photographs that come with scikit-image, free of copyright (its docstrings say so), and what is pulled where, in their pixels.
PHOTOGRAPHS = {
    "coffee": ("a spoon, pulled off its saucer", [[(368, 285), (470, 330)]]),
    "chelsea": ("a cat's nose, pushed to the left", [[(257, 243), (190, 225)]]),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and its drags; for a rendered one also the clip, which says what truly happens."""

    name: str
    picture: np.ndarray  # (H, W, 3) uint8
    drags: Drags
    clip: Clip | None = None


def cabinets(count: int, size: int, frames: int, *, parts: int = 1) -> list[Scene]:
    """The first `count` cabinets that no training has seen of which at least so many parts are dragged: none is picked by hand.

    Drags are the true paths of one visible point a moving part.
    """
    clips = filmed(find_source("cabinets", 100_000, TEST_SEEDS), Filming(size=size, frames=frames))
    enough = (clip for clip in clips if len(clip.drags) >= parts)
    return [Scene(f"unseen cabinet {clip.provenance['seed'] - TEST_SEEDS + 1}", clip.frames[0], Drags(clip.drags), clip)
            for clip in islice(enough, count)]


def objects(kinds: Sequence[str], size: int, frames: int, seed: int = 0) -> list[Scene]:
    """One object of each kind of the library: the first, from `seed` on, that can be seen to move. Raises RuntimeError."""
    return [_object(kind, size, frames, seed) for kind in kinds]


def _object(kind: str, size: int, frames: int, first: int) -> Scene:
    for clip in filmed(find_source(f"library:{kind}", SEARCH, first), Filming(size=size, frames=frames)):
        return Scene(kind, clip.frames[0], Drags(clip.drags), clip)
    raise RuntimeError(f"{kind} {first} to {first + SEARCH - 1} were drawn, and in none a part is seen to move")


def photographs(frames: int) -> list[Scene]:
    """Real pictures, each with a straight drag that somebody might draw."""
    from skimage import data

    found = []
    for file, (name, paths) in PHOTOGRAPHS.items():
        picture = getattr(data, file)()
        height, width = picture.shape[:2]
        found.append(Scene(name, picture, Drags.from_pixels(paths, (width, height)).resample(frames)))
    return found


def over_background(scene: Scene, background: np.ndarray, name: str) -> Scene:
    """A rendered scene before something else than white; background: a colour (3,) or a picture (H, W, 3), 0 to 255."""
    frames = over(scene.clip.frames, scene.clip.alpha, background)
    return Scene(name, frames[0], scene.drags, replace(scene.clip, frames=frames))


def reach(scene: Scene) -> float:
    """How far the drag that goes farthest ends from where it starts, in widths of the picture."""
    return float(np.linalg.norm(scene.drags.points[:, -1] - scene.drags.points[:, 0], axis=-1).max())


def dragged_one_by_one(scene: Scene) -> dict[str, Drags]:
    """Each of a scene's drags alone, and the first of them backwards: the same picture told different things."""
    alone = {f"drag {k + 1} alone": Drags(path[None]) for k, path in enumerate(scene.drags.points)}
    first = scene.drags.points[:1]
    return alone | {"drag 1, the other way": Drags(2 * first[:, :1] - first)}


# Fig. 9e: a drag that asks for what no part does.
def whole_object_drag(scene: Scene, reach: float = 0.25) -> Drags:
    """A straight drag to the right from the middle of what stays still, as long as `reach` of the picture's width."""
    first = scene.clip.part_ids[0]
    still = (first >= 0) & ~np.isin(first, scene.clip.field_parts[moves(scene.clip.displacement)])
    depth = ndimage.distance_transform_edt(np.pad(still, 1))[1:-1, 1:-1]  # the pixel that is farthest from what is none of it
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    u = (np.array([column, row]) + 0.5) / still.shape[::-1]
    return Drags(np.linspace(u, u + np.array([reach, 0.0]), scene.drags.frames)[None])


# What the paper says of generators trained on real videos (§1): they shift whole objects.
def moved_as_a_whole(scene: Scene) -> np.ndarray:
    """A caricature, no method's result: the picture shifted along the mean of the drags, (N, H, W, 3) uint8, on white."""
    height, width = scene.picture.shape[:2]
    way = (scene.drags.points - scene.drags.points[:, :1]).mean(0) * (width, height)  # (N, 2) pixels
    frames = [ndimage.shift(scene.picture.astype(np.float32), (dy, dx, 0), order=1, cval=255) for dx, dy in way]
    return np.stack(frames).round().clip(0, 255).astype(np.uint8)

"""The player: videos side by side that one plays, pauses and scrubs, with drags and tracks drawn over them on demand.

Letters: N frames, (H, W) pixels, K drags, P tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import anywidget
import numpy as np
from traitlets import Bool, Float, Int, List, Unicode

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor.bundle import script, style
from puppetmaster_core.editor.film import motion_colours, sprite_sheet


class Player(anywidget.AnyWidget):
    """Films with one transport.

    videos: one, or a mapping of captions to videos; a video is a `Video`, a `Clip` or frames (N, H, W, 3) uint8.
    drags: what is drawn over a film that has none of its own. size: width of a film on the page, in CSS pixels.
    show_drags, show_tracks: whether they are drawn from the start; tracks come from a clip. fps: None takes the videos'.
    motion: beside the films, how pixels move, as colours: offsets (N, H, W, 2) in picture widths of frame 1's pixels, the parts
    that a pipeline gives for output_type="motion", or True for the exact displacement of clips that have one.
    track_colours, drag_colours: CSS colours of the tracks and drags, in their order. alt: what those hear who do not see the
    films. note: a line below, such as how they were made. Raises ValueError for frames that are none.
    """

    _esm = script("player")
    _css = style("player")
    films = List().tag(sync=True)
    fps = Float(7.0).tag(sync=True)
    width = Int(256).tag(sync=True)
    show_drags = Bool(True).tag(sync=True)
    show_tracks = Bool(False).tag(sync=True)
    autoplay = Bool(True).tag(sync=True)
    note = Unicode("").tag(sync=True)

    def __init__(self, videos, *, drags: Drags | None = None, size: int = 256, fps: float | None = None,
                 motion=None, show_drags: bool = True, show_tracks: bool = False, autoplay: bool = True, alt: str = "",
                 note: str = "", track_colours: Sequence[str] = (), drag_colours: Sequence[str] = ()):
        videos = videos if isinstance(videos, Mapping) else {"": videos}
        if not videos:
            raise ValueError("got no videos, expected at least one")
        films = [_film(label, video, drags, alt) for label, video in videos.items()]
        for offset in _offsets(motion, videos.values()):
            made = sprite_sheet(motion_colours(offset))
            films.append(made | {"label": "motion", "alt": "where pixels of frame 1 go, as colours"})
        for name, colours in (("track_colours", track_colours), ("drag_colours", drag_colours)):
            films = [film | {name: list(colours)} for film in films] if colours else films
        rate = fps or next((video.fps for video in videos.values() if hasattr(video, "fps")), 7.0)
        super().__init__(films=films, fps=rate, width=size, show_drags=show_drags, show_tracks=show_tracks, autoplay=autoplay,
                         note=note)


def _offsets(motion, videos: Iterable) -> list[np.ndarray]:
    """Offsets (N, H, W, 2) of what `Player` takes as motion."""
    if motion is None or motion is False:
        return []
    if motion is True:
        return [video.displacement for video in videos if getattr(video, "displacement", np.zeros(0)).size]
    if hasattr(motion, "fields"):  # a `PartMotion`: each part's field where the part is
        motion = (motion.masks[:, None, None] * motion.fields).sum(0).permute(0, 2, 3, 1).cpu()
    return [np.asarray(motion)]


def _film(label: str, video, drags: Drags | None, alt: str) -> dict:
    """One film with what is drawn over it."""
    made = sprite_sheet(np.asarray(getattr(video, "frames", video)))
    drags = getattr(video, "drags", None) or drags
    made |= {"label": label, "alt": ": ".join(filter(None, (alt, label))) or f"a video of {made['count']} frames"}
    if isinstance(drags, Drags):
        made["drags"] = drags.points.tolist()
    if hasattr(video, "tracks"):
        made["tracks"] = np.asarray(video.tracks).round(5).tolist()  # (P, N, 2)
        made["visibility"] = np.asarray(video.visibility).tolist()  # (P, N)
    return made

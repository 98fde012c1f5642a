"""Training clips (§4): a rendered animation with its exact tracks, and the drags sampled from them."""

from puppetmaster_core.clips.clip import Clip, make_clip
from puppetmaster_core.clips.sampling import sample_drags
from puppetmaster_core.clips.tracks import SurfacePoints, track

__all__ = ["Clip", "SurfacePoints", "make_clip", "sample_drags", "track"]

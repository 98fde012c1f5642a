"""Training clips (§4): a rendered animation with its exact displacement, and the drags sampled from it."""

from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.labels import make_clip
from puppetmaster_core.clips.rules import sample_drags
from puppetmaster_core.clips.tracks import SurfacePoints, track

__all__ = ["Clip", "SurfacePoints", "make_clip", "sample_drags", "track"]

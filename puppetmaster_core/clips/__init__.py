"""Training clips (§4): a rendered animation with its exact displacement, and the drags sampled from it."""

from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.drag_sampling import sample_drags
from puppetmaster_core.clips.tracks import SurfacePoints, track

__all__ = ["Clip", "SurfacePoints", "sample_drags", "track"]

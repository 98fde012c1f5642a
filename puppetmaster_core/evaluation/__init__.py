"""§5: how good a video is, and how sure we are."""

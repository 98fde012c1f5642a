"""The bench of renderers and clips: every line is there and counts what was really made. Times themselves are not judged."""

from puppetmaster_core.clips.speed import as_text, asset_to_shard, fast_renderer


def test_the_rasteriser_is_timed_over_all_frames():
    speed = fast_renderer(16, cabinets=2)
    assert (speed.unit, speed.count, speed.clock) == ("frames", 2 * 14, "CPU") and speed.rate == 28 / speed.seconds
    assert "fast rasteriser" in as_text([speed])


def test_clips_are_timed_from_asset_to_shard_and_back():
    speeds = list(asset_to_shard(16, clips=3, workers=1, source="cabinets"))
    assert [(s.unit, s.count, s.clock) for s in speeds] == [("clips", 2, "wall"), ("clips", 2, "CPU"), ("frames", 3 * 14, "CPU")]
    assert all(s.seconds > 0 for s in speeds)

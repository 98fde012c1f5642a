"""Counting wrong directions by hand: what is shown, what is kept from who counts, and what the answers come to."""

import numpy as np
import pytest

from lib.counting import ANSWERS, Counting
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.videos import VideoError, keep_video
from puppetmaster_core.video import Video

DRAGS = Drags(np.linspace((0.25, 0.5), (0.75, 0.5), 4)[None])


def videos(grey):
    return [(clip, Video(np.full((4, 8, 8, 3), grey + k, np.uint8), drags=DRAGS)) for k, clip in enumerate(("a", "b", "c"))]


def counting(**options):
    return Counting({"secret method": videos(50), "other": videos(150)}, **options)


def test_who_counts_is_not_told_whose_video_it_is():
    count = counting()
    assert sorted(count.asked) == [(row, clip) for row in ("other", "secret method") for clip in "abc"]
    assert count.asked != sorted(count.asked) and count.asked == counting().asked != counting(seed=1).asked
    assert count.titles == [f"video {k}" for k in range(1, 7)] and count.heading.value == "video 1 (1 of 6, 0 answered)"
    count.buttons["wrong"].click()
    assert count.answers == ["wrong", "", "", "", "", ""] and count.heading.value == "video 2 (2 of 6, 1 answered)"


def test_answers_come_to_a_range():
    count = counting()
    given = {("other", "a"): "wrong", ("other", "b"): "unclear", ("other", "c"): "right"}
    count.answers = [given.get(asked, "") for asked in count.asked]
    assert count.counts()["other"] == {"right": 1, "wrong": 1, "unclear": 1, "not seen": 0}
    rates = count.rates()
    assert rates["other"] == (pytest.approx(100 / 3), pytest.approx(200 / 3))
    assert np.isnan(rates["secret method"]).all() and count.counts()["secret method"]["not seen"] == 3


def test_answers_survive_in_a_file(tmp_path):
    count, again = counting(), counting(seed=5)
    count.answers = [ANSWERS[k % 3] if k < 4 else "" for k in range(6)]
    count.save(tmp_path / "counts.csv")
    again.load(tmp_path / "counts.csv")  # in another order
    assert again.counts() == count.counts()
    (tmp_path / "counts.csv").write_text("row,clip,answer\nother,z,right\n")
    with pytest.raises(ValueError, match="of these videos"):
        again.load(tmp_path / "counts.csv")


def test_kept_videos_are_asked_about_with_their_drags(tmp_path):
    for row, given in (("m", videos(50)), ("n", videos(150))):
        for clip, video in given:
            keep_video(tmp_path / row, clip, video)
    count = Counting.of(tmp_path, seed=0)
    assert sorted(count.asked) == [(row, clip) for row in "mn" for clip in "abc"]
    assert bytes(count.picture.value).startswith(b"GIF89a")
    with pytest.raises(VideoError, match="no videos"):
        Counting.of(tmp_path / "m")

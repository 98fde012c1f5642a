"""The player's module in a real browser, on a bare page."""

from types import SimpleNamespace

import numpy as np
import pytest
from browser import show

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor import Player
from puppetmaster_core.video import Video

GREYS = np.stack([np.full((20, 40, 3), 18 * n, np.uint8) for n in range(14)])
DRAGS = Drags(np.linspace((0.25, 0.5), (0.75, 0.5), 14)[None])
COLOUR = [0xD5, 0x5E, 0x00]  # of the first drag


def pixel(page, x, y, canvas=0):
    """The colour at a place of the unit square."""
    return page.evaluate("""([x, y, i]) => { const c = document.querySelectorAll('.pm-films canvas')[i];
        return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data].slice(0, 3); }""",
        [float(x), float(y), canvas])


def scrub(page, n):
    page.get_by_role("slider", name="frame").fill(str(n))


def test_scrubbing_shows_frames_and_drags_follow(page):
    show(page, Player(Video(GREYS, drags=DRAGS), alt="a grey"))
    assert page.get_by_role("img", name="a grey").is_visible()
    for n in (0, 13, 6):
        scrub(page, n)
        assert pixel(page, 0.02, 0.05) == [18 * n] * 3
        assert pixel(page, *DRAGS.points[0, n]) == COLOUR
        assert page.locator(".pm-count").inner_text() == f"{n + 1} / 14"
    page.get_by_label("drags").uncheck()
    assert pixel(page, *DRAGS.points[0, 6]) == [18 * 6] * 3


def test_films_side_by_side_keep_step_and_shorter_ones_wait(page):
    show(page, Player({"one": GREYS, "half": GREYS[:7]}, size=200))
    assert page.locator("figcaption").all_inner_texts() == ["one", "half"]
    scrub(page, 10)
    assert [pixel(page, 0.5, 0.5, i) for i in (0, 1)] == [[180] * 3, [108] * 3]
    assert page.get_by_role("checkbox").count() == 0  # nothing to draw over them


def test_a_track_has_its_parts_colour_and_is_a_ring_where_hidden(page):
    tracks = np.full((1, 14, 2), 0.5)
    clip = SimpleNamespace(frames=GREYS, tracks=tracks, visibility=np.arange(14)[None] < 7, drags=None)
    show(page, Player(clip, show_tracks=True, track_colours=["#0072b2"], size=400))
    scrub(page, 3)
    assert pixel(page, 0.5, 0.5) != [18 * 3] * 3 and np.argmax(pixel(page, 0.5, 0.5)) == 2  # blue
    scrub(page, 10)
    assert pixel(page, 0.5, 0.5) == [180] * 3


def test_motion_lies_beside_the_film_and_goes_along(page):
    motion = np.zeros((14, 20, 40, 2), np.float32)
    motion[:, :, 20:, 0] = np.linspace(0, 0.5, 14)[:, None, None]  # the right half, to the right
    show(page, Player({"a grey": GREYS}, motion=motion))
    assert page.locator("figcaption").all_inner_texts() == ["a grey", "motion"]
    scrub(page, 0)
    assert pixel(page, 0.75, 0.5, 1) == [255, 255, 255]
    scrub(page, 13)
    assert pixel(page, 0.25, 0.5, 1) == [255, 255, 255] and pixel(page, 0.75, 0.5, 1) == [255, 0, 0]
    assert pixel(page, 0.5, 0.5, 0) == [18 * 13] * 3


def test_play_goes_round_at_its_rate_and_pause_holds(page):
    show(page, Player(GREYS, fps=50))
    page.get_by_role("button", name="Play").click()
    page.evaluate("window.seen = new Set(); new MutationObserver(() => seen.add(document.querySelector('.pm-count').textContent))"
                  ".observe(document.querySelector('.pm-count'), {childList: true})")
    page.wait_for_function("seen.has('1 / 14') && seen.has('2 / 14') || seen.size > 8")
    page.get_by_role("button", name="Pause").click()
    held = page.locator(".pm-count").inner_text()
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    assert page.locator(".pm-count").inner_text() == held


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_it_starts_by_itself_unless_one_has_asked_for_calm(page, motion):
    page.emulate_media(reduced_motion=motion)
    show(page, Player(GREYS, fps=50))
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))")
    name = "Play" if motion == "reduce" else "Pause"
    page.get_by_role("button", name=name).wait_for()
    page.emulate_media(reduced_motion="reduce")

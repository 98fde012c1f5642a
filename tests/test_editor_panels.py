"""Beside the picture: time, JSON, the encoded maps, generating and takes, names and colours. In a real browser."""

import numpy as np
import pytest
from browser import packed
from desk import Desk, H, W, drag, picture

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor.bundle import script
from puppetmaster_core.editor.drag_editor import DragEditor, _shown
from puppetmaster_core.editor.maker import Take
from puppetmaster_core.encoding import encode_drags
from puppetmaster_core.video import Video

TIME = np.linspace(0, 1, 14)


# ---- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "share"), [
    ("ease in and out", 3 * TIME**2 - 2 * TIME**3), ("there and back", 1 - np.abs(2 * TIME - 1)),
])
def test_speed_along_the_path(page, name, share):
    desk = Desk(page, drags=drag((40, 60), (200, 100)))
    desk.button("drag 1").click()
    page.get_by_role("tab", name="Motion").click()
    page.get_by_label("speed along the path").select_option(name)
    wanted = np.array([40, 60]) + share[:, None] * np.array([160, 40])
    np.testing.assert_allclose(desk.points()[0], wanted, atol=1e-4)


def test_as_drawn_keeps_the_hands_pace(page):
    desk = Desk(page)
    desk.press((40, 60), (200, 60), up=False, steps=5)
    page.wait_for_timeout(1500)  # the hand rests at the end: time is what is tested here
    page.mouse.up()
    page.get_by_role("tab", name="Motion").click()
    page.get_by_label("speed along the path").select_option("as drawn")
    x = desk.points()[0, :, 0]
    assert (x[7:] > 195).all() and x[0] < 41


def test_the_preview_runs_through_the_frames(page):
    desk = Desk(page, drags=drag((40, 60), (200, 60)))
    scrub = page.get_by_role("slider", name="frame", exact=True)
    scrub.fill("13")
    page.wait_for_function("document.querySelector('.pm-now').getAttribute('cx') > 250")
    now = page.evaluate("(({x, y, width, height}) => [x + width / 2, y + height / 2])"
                        "(document.querySelector('.pm-now').getBoundingClientRect())")
    np.testing.assert_allclose(now, desk.at(200, 60), atol=0.1)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("!document.querySelector('.pm-count').textContent.startsWith('14')")
    page.get_by_role("button", name="Pause").click()


# ---- in and out ------------------------------------------------------------------------------------------------------


def test_drags_from_python_come_back_to_a_thousandth_of_a_pixel(page):
    rng = np.random.default_rng(0)
    wild = Drags(np.cumsum(rng.normal(0, 0.06, (4, 14, 2)), axis=1) + 0.5)
    back_and_forth = drag((40, 60), (200, 60), (90, 60))
    for given in (wild, back_and_forth, Drags(np.repeat([[[0.3, 0.4]]], 14, axis=1))):
        desk = Desk(page, drags=given)
        page.get_by_role("button", name="drag 1,").click()
        desk.keys("ArrowRight", "ArrowLeft")  # there and back again: now it is the editor's own record
        np.testing.assert_allclose(desk.points(), given.pixels((W, H)), atol=1e-3)
        assert Drags.from_json(desk.record()).points.shape == given.points.shape


def test_json_as_text_with_one_clear_line_for_what_is_wrong(page):
    desk = Desk(page)
    desk.press((30, 30), (90, 30))
    desk.button("Drags as JSON").click()
    text = page.get_by_role("textbox", name="drags as JSON")
    np.testing.assert_allclose(Drags.from_json(text.input_value()).pixels((W, H)), desk.points(), atol=1e-4)
    for source, said in {
        "{": "This is not JSON.",
        '{"format": "x"}': 'got "format": "x", expected "puppetmaster.drags/1"',
        '{"format": "puppetmaster.drags/1", "drags": []}': 'got no "image_size", expected [width, height] in pixels',
        '{"format": "puppetmaster.drags/1", "image_size": [10, 10], "drags": [{"points": [[1, 2]]}]}':
            'drag 1 has no "points", expected at least two [x, y] pairs',
    }.items():
        text.fill(source)
        desk.button("Take the drags of this text").or_(desk.button("Use this text")).click()
        assert desk.status() == said
        assert len(desk.drawn()) == 1
    text.fill('{"format": "puppetmaster.drags/1", "image_size": [128, 96], "drags": [{"points": [[10, 20], [30, 20]]}]}')
    desk.button("Use this text").click()
    assert desk.drawn() == [[[20, 40], [60, 40]]]
    desk.button("Undo").click()
    assert len(desk.drawn()[0][0]) == 2 and desk.drawn()[0][0] != [20, 40]
    with page.expect_download() as download:
        desk.button("Download").click()
    assert len(Drags.from_json(download.value.path())) == 1


def test_presets_and_files(page, tmp_path):
    desk = Desk(page, presets={"open it": drag((78, 100), (39, 113))})
    page.get_by_label("presets").select_option("=open it")
    np.testing.assert_allclose(desk.drawn(), [[[78, 100], [39, 113]]], atol=1e-4)
    page.get_by_label("presets").select_option("+circle")
    circle = desk.points()[1]
    np.testing.assert_allclose(circle[0], circle[-1], atol=1e-4)
    desk.button("Drags as JSON").click()
    drag((1, 2), (3, 4)).to_json(tmp_path / "a.json", (W, H))
    page.locator("input[type=file]").set_input_files(tmp_path / "a.json")
    page.wait_for_function("model.get('record').drags.length === 1")
    np.testing.assert_allclose(desk.drawn(), [[[1, 2], [3, 4]]], atol=1e-4)


def test_what_python_sets_is_shown_and_can_be_undone(page):
    desk = Desk(page)
    desk.widget.drags = drag((10, 20), (30, 40))
    page.evaluate("(record) => model.set('record', record)", desk.widget.record)
    np.testing.assert_allclose(desk.drawn(), [[[10, 20], [30, 40]]], atol=1e-4)
    desk.button("Undo").click()
    assert desk.drawn() == []


def test_an_editor_that_is_gone_listens_no_more(page):
    desk = Desk(page)
    page.evaluate("hide(); document.querySelector('#widget').replaceChildren()")
    page.evaluate("(record) => model.set('record', record)", _shown_record())
    assert page.evaluate("model.saved.length") == 0 and desk.page.locator(".pm").count() == 0


def _shown_record():
    return DragEditor(picture(), drag((10, 20), (30, 40))).record


# ---- what the network is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", ["paper", "released"])
def test_the_maps_are_those_the_network_reads(page, convention):
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.2, 1.2, (3, 14, 2))
    points[0, 0], points[0, 1] = (0.25, 0.5), (1.0, 1.0)  # on borders of cells
    page.set_content("<html></html>")
    text = script("encoding") + "\nexport { encodeFrame };"
    for h, w in ((8, 8), (4, 6), (32, 32)):
        code = encode_drags(Drags(points), (h, w), convention, max_drags=3).numpy().reshape(14, 3, 3, 2, h, w)
        for n in (0, 1, 13):
            marks = page.evaluate("""async ([text, points, n, size, convention]) => {
                const { encodeFrame } = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
                return encodeFrame(points, n, size, convention);
            }""", [text, Drags(points).points.tolist(), n, [h, w], convention])
            mine = np.full((3, 3, 2, h, w), -1.0)
            for mark in marks:
                offset = (mark["dy"], mark["dx"]) if convention == "paper" else (mark["dx"], mark["dy"])
                mine[mark["drag"], mark["place"], :, int(mark["row"]), int(mark["column"])] = offset
            np.testing.assert_allclose(mine, code[n], atol=1e-5)


def test_the_maps_follow_while_one_drags(page):
    desk = Desk(page)
    canvas = page.locator(".pm-maps canvas")
    assert canvas.count() == 3 * len(desk.widget.levels)
    look = "document.querySelectorAll('.pm-maps canvas')[2].toDataURL()"  # the end, at the finest level
    before = page.evaluate(look)
    desk.press((30, 30), (200, 150), up=False)
    page.wait_for_function(f"{look} !== {before!r}")
    during = page.evaluate(look)
    page.mouse.move(*desk.at(30, 150), steps=3)
    page.wait_for_function(f"{look} !== {during!r}")
    page.mouse.up()


# ---- generating ------------------------------------------------------------------------------------------------------


def takes(count):
    frames = np.stack([np.full((24, 32, 3), 18 * n, np.uint8) for n in range(14)])
    made = [Take(k, 7 + k, "draft", drag((10 * k, 20), (90, 20)), Video(frames), 1.5) for k in range(1, count + 1)]
    return [_shown(take, (W, H)) for take in made]


def test_generate_asks_with_seed_quality_and_drags(page):
    desk = Desk(page)
    desk.button("Generate").click()
    assert "Draw a drag first" in desk.status() and page.evaluate("model.sent") == []
    desk.press((30, 30), (90, 30))
    page.get_by_label("seed", exact=True).fill("-3")
    desk.button("Generate").click()
    assert "expected a whole number" in desk.status()
    page.get_by_label("seed", exact=True).fill("12")
    page.get_by_label("quality").select_option("good")
    desk.button("Generate").click()
    assert page.evaluate("model.sent") == [{"kind": "generate", "seed": 12, "quality": "good", "record": desk.record()}]
    page.evaluate("model.set('progress', {state: 'drawing', step: 3, steps: 10})")
    bar = page.get_by_role("progressbar")
    assert bar.evaluate("(bar) => bar.value / bar.max") == pytest.approx(0.3)
    assert desk.button("Generate").is_hidden()
    desk.press((30, 90), (90, 90))  # drawing goes on meanwhile
    assert len(desk.drawn()) == 2
    desk.button("Stop").click()
    assert page.evaluate("model.sent.at(-1)") == {"kind": "stop"}
    page.evaluate("model.set('progress', {state: 'failed', message: 'no such luck'})")
    assert desk.status() == "no such luck" and desk.button("Generate").is_visible()


def test_follow_asks_again_after_each_change_and_never_twice_at_once(page):
    desk = Desk(page)
    page.get_by_label("follow my hand").check()
    desk.press((30, 30), (90, 30))
    assert page.evaluate("model.sent.length") == 1
    page.evaluate("model.set('progress', {state: 'drawing', step: 0, steps: 4})")
    desk.press((30, 60), (90, 60))
    desk.press((30, 90), (90, 90))
    assert page.evaluate("model.sent.length") == 1
    page.evaluate("model.set('progress', {state: 'idle'})")
    assert page.evaluate("model.sent.length") == 2
    assert page.evaluate("model.sent[1].record.drags.length") == 3


def test_takes_are_shown_compared_and_taken_up_again(page):
    desk = Desk(page)
    page.evaluate("(takes) => model.set('shown_takes', takes)", packed(takes(1)))
    film = page.locator(".pm-film")
    film.wait_for()
    assert page.get_by_role("tab", name="Result").get_attribute("aria-selected") == "true"
    assert "seed 8" in page.locator("figcaption").inner_text()
    page.get_by_role("checkbox", name="drags").uncheck()
    page.get_by_role("slider", name="frame", exact=True).fill("10")
    grey = film.evaluate("(c) => [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]")
    assert grey == [180, 180, 180, 255]  # frame 11 of the take
    page.evaluate("(takes) => model.set('shown_takes', takes)", packed(takes(3)))
    page.get_by_role("button", name="take 2").wait_for()
    page.get_by_label("compare two").check()
    page.get_by_role("button", name="take 2").click()
    assert [text.split(" seed")[0] for text in page.locator("figcaption").all_inner_texts()] == ["Take 3", "Take 2"]
    desk.button("Put the drags of this take").or_(desk.button("Use its drags")).click()
    np.testing.assert_allclose(desk.drawn(), [[[20, 20], [90, 20]]], atol=1e-4)


def test_without_a_kernel_it_draws_and_says_that_it_cannot_generate(page):
    desk = Desk(page, live=False)
    desk.press((30, 30), (90, 30))
    assert len(desk.drawn()) == 1
    assert desk.button("Generate").is_disabled() and "needs the notebook" in page.locator(".pm-said").inner_text()


# ---- everyone --------------------------------------------------------------------------------------------------------

NAMELESS = """() => [...document.querySelectorAll(
  'button, select, input:not([hidden]), textarea, [role=slider], canvas, .pm-stage')]
  .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"""


def test_every_control_has_a_name_and_the_focus_goes_in_reading_order(page):
    desk = Desk(page, drags=drag((40, 60), (200, 60)))
    page.evaluate("(takes) => model.set('shown_takes', takes)", packed(takes(2)))
    page.locator(".pm-thumb").nth(1).wait_for()
    desk.button("drag 1").click()
    page.get_by_role("tab", name="Motion").click()
    assert page.evaluate(NAMELESS) == []
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    order = []
    for _ in range(40):
        page.keyboard.press("Tab")
        here = page.evaluate("""() => { const e = document.activeElement, part = e.closest(
            '.pm-toolbar, .pm-stage, .pm-side, .pm-transport, .pm-below, .pm-ask, .pm-strip');
            return part ? part.className.split(' ').find((n) => n.startsWith('pm-') && n !== 'pm-row') : null; }""")
        if here and here not in order[-1:]:
            order.append(here)
    assert order[:7] == ["pm-toolbar", "pm-stage", "pm-side", "pm-transport", "pm-below", "pm-ask", "pm-strip"]


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const ground = (e) => { const c = rgb(getComputedStyle(e).backgroundColor);
    return c[3] > 250 || !e.parentElement ? c : ground(e.parentElement); };
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const texts = [...document.querySelectorAll('.pm *')].filter((e) => e.checkVisibility() && !e.disabled
    && !e.closest('svg, option') && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()));
  return texts.map((e) => { const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.textContent.trim().slice(0, 30)]; });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    Desk(page, drags=drag((40, 60), (200, 60)))
    page.evaluate(f"document.documentElement.style.cssText = 'color-scheme: {scheme}; background: Canvas'")
    found = page.evaluate(CONTRAST)
    assert len(found) > 15
    assert [text for ratio, text in found if ratio < 4.5] == []  # WCAG 2.2, 1.4.3

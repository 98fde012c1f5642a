"""The drag editor's module in a real browser, on a bare page with a fake model: what a hand does, and what comes of it."""

import numpy as np
import pytest
from desk import Desk, H, W, drag

# ---- coordinates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("style", "html"), [
    ("width: 431px", ""), ("width: 700px; border: 7px solid; padding: 11px", "padding-top: 700px"),
    ("width: 500px; transform: scale(1.37); transform-origin: 0 0", ""), ("width: 600px", "zoom: 1.25"),
])
def test_points_are_the_pictures_own_pixels_at_any_size(page, style, html):
    desk = Desk(page, style=style, html=html)
    desk.stage.scroll_into_view_if_needed()
    desk.tool("Pin")
    for place in ((20, 30), (200.5, 161.25)):
        desk.click(*place)
    np.testing.assert_allclose(desk.drawn(), [[[20, 30]], [[200.5, 161.25]]], atol=0.3)  # a screen pixel or less


def test_zoom_keeps_what_is_under_the_pointer_and_the_coordinates(page):
    desk = Desk(page)
    desk.tool("Pin")
    (left, top), (right, bottom) = desk.at(0, 0), desk.at(W, H)
    before = (round(left) + 80, round(top) + 70)  # browsers tell where a wheel turned in whole pixels
    place = (before[0] - left) / (right - left) * W, (before[1] - top) / (bottom - top) * H
    page.mouse.move(*before)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function("document.querySelector('.pm-zoom').textContent === '272%'")  # e, in percent
    np.testing.assert_allclose(desk.at(*place), before, atol=0.01)
    desk.click(70, 60)
    np.testing.assert_allclose(desk.drawn(), [[[70, 60]]], atol=0.2)
    page.mouse.wheel(0, 40)  # without Control the page scrolls
    assert page.locator(".pm-zoom").inner_text() == "272%"
    desk.keys("0")
    page.wait_for_function("document.querySelector('.pm-zoom').textContent === '100%'")


# ---- drawing ---------------------------------------------------------------------------------------------------------


def test_press_drag_release_draws_the_path_to_where_it_was_let_go(page):
    desk = Desk(page)
    angles = np.linspace(np.pi, np.pi / 2, 30)
    arc = 100 + 70 * np.stack([np.cos(angles), np.sin(angles)], -1)
    desk.press(*arc.tolist(), steps=1)
    (points,) = desk.points()
    np.testing.assert_allclose(points[[0, -1]], arc[[0, -1]], atol=0.5)
    np.testing.assert_allclose(np.linalg.norm(points - 100, axis=1), 70, atol=1.5)  # on the circle, all the way
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert np.ptp(steps) < 0.1 * steps.mean()  # at an even pace
    assert len(desk.drawn()[0]) < 10  # few points, that a hand can move


def test_a_click_is_no_drag_and_shift_draws_straight(page):
    desk = Desk(page)
    desk.click(50, 50)
    assert desk.record()["drags"] == [] and "let go" in desk.status()
    page.keyboard.down("Shift")
    desk.press((40, 40), (60, 90), (140, 100))
    page.keyboard.up("Shift")
    np.testing.assert_allclose(desk.drawn(), [[[40, 40], [140, 100]]], atol=0.5)


@pytest.mark.parametrize("ending", ["Enter", "last", "double"])
def test_click_by_click(page, ending):
    desk = Desk(page)
    desk.tool("Points")
    path = [(30, 30), (90, 40), (120, 120)]
    for place in path:
        desk.click(*place)
    assert desk.record()["drags"] == []  # not yet
    if ending == "Enter":
        page.keyboard.press("Enter")
    else:
        page.mouse.dblclick(*desk.at(*path[-1])) if ending == "double" else desk.click(*path[-1])
    np.testing.assert_allclose(desk.drawn(), [path], atol=0.5)
    if ending == "Enter":
        desk.click(200, 30)
        page.keyboard.press("Escape")
        assert len(desk.record()["drags"]) == 1


def test_a_path_may_leave_the_picture(page):
    desk = Desk(page)
    desk.press((200, 100), (300, 110))
    np.testing.assert_allclose(desk.points()[0, -1], (300, 110), atol=0.5)
    assert desk.status() == ""
    desk.press((-4, 60), (60, 60))
    assert desk.status() == "A drag begins beside the picture, where nothing is to be moved."


def test_points_lie_above_lines_and_each_moves_alone(page):
    desk = Desk(page, drags=drag((40, 60), (200, 60)))
    desk.press((40, 100), (120, 61), (200, 100))  # a second one; its corner lies on the line of the first
    assert len(desk.drawn()) == 2
    (corner,) = [p for p in desk.drawn()[1] if abs(p[0] - 120) < 8 and p[1] < 75][:1]
    before = desk.drawn()
    desk.press(tuple(corner), (corner[0] + 5, corner[1] + 60))
    after = desk.drawn()
    assert after[0] == before[0]  # the line under it stayed
    moved = [not np.allclose(a, b) for a, b in zip(before[1], after[1], strict=True)]
    assert sum(moved) == 1
    np.testing.assert_allclose(after[1][moved.index(True)], (corner[0] + 5, corner[1] + 60), atol=0.5)


def test_a_line_moves_whole_and_alt_adds_a_point(page):
    desk = Desk(page, drags=drag((40, 60), (200, 60)))
    desk.press((100, 60), (110, 90))
    np.testing.assert_allclose(desk.drawn(), [[[50, 90], [210, 90]]], atol=0.6)
    page.keyboard.down("Alt")
    desk.press((130, 90), (130, 130))
    page.keyboard.up("Alt")
    np.testing.assert_allclose(desk.drawn(), [[[50, 90], [130, 130], [210, 90]]], atol=0.8)


def test_a_pin_stays_where_it_is(page):
    desk = Desk(page)
    desk.tool("Pin")
    desk.click(128, 96)
    assert np.ptp(desk.points()[0], axis=0).max() == 0
    desk.button("drag 1, pin").wait_for()
    page.get_by_role("tab", name="Motion").click()
    assert "stays where it is" in page.locator(".pm-motion").inner_text()


def test_more_than_the_model_encodes_is_said_and_not_drawn(page):
    desk = Desk(page)
    for k in range(5):
        desk.press((30, 30 + 30 * k), (100, 30 + 30 * k))
    assert len(desk.drawn()) == 5
    desk.press((150, 20), (220, 20))
    assert len(desk.drawn()) == 5
    assert desk.status() == "5 drags are drawn, and this model encodes at most 5: delete one to draw another."
    page.keyboard.press("p")
    page.get_by_label("presets").select_option("+arc")
    assert len(desk.drawn()) == 5
    desk.button("drag 5").click()
    desk.button("Delete what is selected").click()
    desk.settle()
    assert desk.status() == ""
    desk.press((150, 20), (220, 20))
    assert len(desk.drawn()) == 5


# ---- changing one's mind ---------------------------------------------------------------------------------------------


def test_undo_redo_delete_clear(page):
    desk = Desk(page)
    desk.press((30, 30), (90, 30))
    desk.press((30, 90), (90, 90))
    two = desk.record()
    desk.button("Undo").click()
    assert len(desk.drawn()) == 1
    page.keyboard.press("Control+z")
    assert desk.drawn() == [] and desk.button("Undo").is_disabled()
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.press("Control+y")
    assert desk.record() == two and desk.button("Redo").is_disabled()
    desk.button("Clear all drags").click()
    assert desk.drawn() == []
    desk.button("Undo").click()
    assert desk.record() == two
    desk.button("drag 1").click()
    desk.keys("Delete")
    assert desk.drawn() == [one["drawn"]["path"] for one in two["drags"][1:]]
    assert page.evaluate("model.saved.at(-1)") == desk.record()


def test_a_cancelled_gesture_leaves_everything_as_it_was(page):
    desk = Desk(page, drags=drag((40, 60), (200, 60)))
    before = desk.record()
    desk.press((40, 60), (80, 120), up=False)
    assert page.locator(".pm-status").count()
    page.evaluate("document.querySelector('.pm-stage').dispatchEvent(new PointerEvent('pointercancel', {pointerId: 1}))")
    page.mouse.up()
    assert desk.record() == before and desk.button("Undo").is_disabled()


# ---- other hands -----------------------------------------------------------------------------------------------------


def test_everything_with_the_keyboard_alone(page):
    desk = Desk(page)
    page.evaluate("window.heard = []; for (const kind of ['keydown', 'keyup', 'keypress']) "
                  "document.addEventListener(kind, (event) => heard.push(event.key))")
    desk.keys("ArrowLeft", "Space", *["Shift+ArrowRight"] * 3, "Space", *["Shift+ArrowDown"] * 2, "Space", "Enter")
    assert desk.drawn() == [[[127, 96], [157, 96], [157, 116]]]
    desk.keys(".", ".", "ArrowUp")  # its second point
    assert desk.drawn() == [[[127, 96], [157, 95], [157, 116]]]
    desk.keys("Escape", "ArrowLeft", "p")
    assert desk.drawn()[1] == [[156, 116]]
    desk.keys("b", "ArrowRight")  # the first drag, whole
    assert desk.drawn()[0] == [[128, 96], [158, 95], [158, 116]]
    desk.keys("n", "Delete")
    assert len(desk.drawn()) == 1
    assert page.evaluate("heard") == []  # the notebook would have run, cut and deleted cells


def touch(session, kind, *places):
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [
        {"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]})


def test_a_finger_draws_and_two_zoom(page):
    desk, fingers = Desk(page), page.context.new_cdp_session(page)
    touch(fingers, "touchStart", desk.at(40, 50))
    for x in range(50, 121, 10):
        touch(fingers, "touchMove", desk.at(x, 50))
    touch(fingers, "touchEnd")
    np.testing.assert_allclose(desk.drawn(), [[[40, 50], [120, 50]]], atol=0.6)
    a, b = desk.at(90, 60), desk.at(130, 60)
    touch(fingers, "touchStart", a)
    touch(fingers, "touchStart", a, b)
    touch(fingers, "touchMove", (a[0] - 30, a[1]), (b[0] + 30, b[1]))
    touch(fingers, "touchEnd")
    assert len(desk.drawn()) == 1
    zoom = (b[0] - a[0] + 60) / (b[0] - a[0])
    page.wait_for_function(f"document.querySelector('.pm-zoom').textContent === '{round(100 * zoom)}%'")
    touch(fingers, "touchStart", desk.at(120, 50))  # the end of the drag, now larger on the screen
    touch(fingers, "touchMove", desk.at(130, 80))
    touch(fingers, "touchEnd")
    np.testing.assert_allclose(desk.drawn(), [[[40, 50], [130, 80]]], atol=0.6)

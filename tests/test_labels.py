"""Labels by hand: CSV in and out, two raters, and the widget in a real browser, its messages answered by the real Python side."""

import math

import numpy as np
import pytest
from browser import show

from lib.labeller import Labeller
from puppetmaster_core.curation.labels import (
    Label,
    LabelError,
    agreement,
    parse_labels,
    read_labels,
    to_csv,
    verdicts,
    write_labels,
)


def greys(level):
    return np.full((8, 24, 24, 3), level, np.uint8)


ANIMATIONS = {"a.glb#0": greys(20), "a.glb#1": lambda: greys(120), "b, the \"second\".glb#0": greys(220)}
A0, A1, B0 = ANIMATIONS


# ---- files -----------------------------------------------------------------------------------------------------------------


def test_labels_are_read_as_written(tmp_path):
    labels = [Label(B0, "me", "keep"), Label("ünï#0", "me", "drop"), Label(A0, "you", "unsure")]
    write_labels(tmp_path / "labels.csv", labels)
    assert read_labels(tmp_path / "labels.csv") == labels
    (tmp_path / "sheet.csv").write_bytes("\ufeffrater,answer,animation,note\r\nme,keep,a#0,hm\r\n".encode())  # a spreadsheet's
    assert read_labels(tmp_path / "sheet.csv") == [Label("a#0", "me", "keep")]


def test_the_last_answer_counts():
    assert parse_labels("animation,rater,answer\na,me,keep\na,me,drop\n") == [Label("a", "me", "drop")]


@pytest.mark.parametrize(("text", "line"), [
    ("a,b\n1,2\n", "expected animation, rater, answer"), ("", "expected animation, rater, answer"),
    ("animation,rater,answer\na,me,keep\nb,me,maybe\n", "line 3.*maybe"),
])
def test_other_files_are_refused(text, line):
    with pytest.raises(LabelError, match=line):
        parse_labels(text)


def test_a_majority_of_those_who_are_sure_decides():
    labels = [Label("a", "1", "keep"), Label("a", "2", "keep"), Label("a", "3", "drop"), Label("b", "1", "unsure"),
              Label("b", "2", "drop"), Label("c", "1", "keep"), Label("c", "2", "drop"), Label("d", "1", "unsure")]
    assert verdicts(labels) == {"a": True, "b": False}


def test_agreement_by_hand():
    """Ten animations, 8 the same. Keeps 6 and 6, drops 4 and 4: chance .36 + .16 = .52, κ = (.8 − .52) / .48 = .5833."""
    first = ["keep"] * 6 + ["drop"] * 4
    second = ["keep"] * 5 + ["drop"] + ["drop"] * 3 + ["keep"]
    given = {"1": first, "2": second}
    labels = [Label(str(i), rater, answer) for rater, answers in given.items() for i, answer in enumerate(answers)]
    found = agreement([*labels, Label("more", "1", "keep")], "1", "2")
    assert (found.both, found.same, found.apart) == (10, 0.8, ("5", "9")) and found.kappa == pytest.approx(0.28 / 0.48)
    assert math.isnan(agreement(labels, "1", "3").kappa)
    assert math.isnan(agreement([Label("a", "1", "keep"), Label("a", "2", "keep")], "1", "2").kappa)


# ---- the widget's Python side ----------------------------------------------------------------------------------------------


def test_it_picks_up_where_it_stopped_and_leaves_others_alone(tmp_path):
    write_labels(tmp_path / "l.csv", [Label(A0, "you", "drop")])
    first = Labeller(ANIMATIONS, tmp_path / "l.csv", rater="me")
    first.answer("keep")
    assert first.at == 1 and first.shown["id"] == A1
    again = Labeller(ANIMATIONS, tmp_path / "l.csv", rater="me")
    assert again.at == 1 and again.labels == [Label(A0, "you", "drop"), Label(A0, "me", "keep")]
    assert again.agreement("you").apart == (A0,)
    again.answer("unsure")
    again.answer("drop")
    assert again.at == 2 and read_labels(tmp_path / "l.csv")[1:] == [
        Label(A0, "me", "keep"), Label(A1, "me", "unsure"), Label(B0, "me", "drop")]
    again.undo()
    again.undo()
    assert again.at == 1 and read_labels(tmp_path / "l.csv") == [Label(A0, "you", "drop"), Label(A0, "me", "keep")]


def test_labels_are_taken_in_from_csv(tmp_path):
    labeller = Labeller(ANIMATIONS, tmp_path / "l.csv")
    text = to_csv([Label(A0, "me", "drop"), Label(A1, "you", "keep"), Label("elsewhere#0", "you", "keep")])
    assert labeller.take_in(text) == 3 and labeller.at == 1 and len(read_labels(tmp_path / "l.csv")) == 3
    labeller._heard(None, {"kind": "csv", "text": "what"}, [])
    assert "expected animation, rater, answer" in labeller.said and len(labeller.labels) == 3
    labeller._heard(None, {"kind": "answer", "answer": "burn"}, [])
    assert "burn" in labeller.said and len(labeller.labels) == 3


def test_bad_input_is_refused(tmp_path):
    (tmp_path / "broken.csv").write_text("no labels")
    for animations, path, rater in (({}, "l.csv", "me"), (ANIMATIONS, "broken.csv", "me"), (ANIMATIONS, "l.csv", " ")):
        with pytest.raises(LabelError):
            Labeller(animations, tmp_path / path, rater=rater)
    assert (tmp_path / "broken.csv").read_text() == "no labels"


# ---- the widget on a page --------------------------------------------------------------------------------------------------


class Table:
    """A labeller on the page; what the page sends is answered by Python, as in a notebook."""

    def __init__(self, page, path, live=True):
        from browser import packed

        self.page, self.packed, self.widget = page, packed, Labeller(ANIMATIONS, path)
        show(page, self.widget, live=live)
        self.answered = 0
        self.settle()

    def settle(self):
        """Hand what was sent to Python, and its new state to the page."""
        sent = self.page.evaluate("model.sent")
        for message in sent[self.answered:]:
            self.widget._heard(None, message, [])
        self.answered = len(sent)
        state = {name: self.packed(getattr(self.widget, name)) for name in ("answers", "at", "shown", "text", "said")}
        self.page.evaluate("(state) => { for (const [name, value] of Object.entries(state)) model.set(name, value); }", state)
        shown = "(id) => document.querySelector('.pm-labeller').dataset.shown === id"
        self.page.wait_for_function(shown, arg=self.widget.shown["id"])

    def key(self, *names):
        self.page.locator(".pm-labeller").focus()
        for name in names:
            self.page.keyboard.press(name)
            self.settle()

    def status(self):
        return self.page.locator(".pm-status").inner_text()


def test_keys_answer_and_take_back(page, tmp_path):
    table = Table(page, tmp_path / "l.csv")
    assert page.locator(".pm-moments canvas").count() == 4 and table.status() == "0 of 3 labelled by me"
    table.key("k", "d", "z", "u")
    assert table.widget.answers == {A0: "keep", A1: "unsure"} and table.widget.at == 2
    table.key("ArrowLeft")
    assert page.get_by_role("button", name="unsure").get_attribute("aria-pressed") == "true"
    table.key("d", "k")
    assert table.status() == "all 3 are labelled"
    assert read_labels(tmp_path / "l.csv") == [Label(A0, "me", "keep"), Label(A1, "me", "drop"), Label(B0, "me", "keep")]


def test_the_pictures_are_those_of_the_animation(page, tmp_path):
    table = Table(page, tmp_path / "l.csv")
    grey = "() => document.querySelector('.pm-moments canvas').getContext('2d').getImageData(9, 9, 1, 1).data[0]"
    assert page.evaluate(grey) == 20
    page.get_by_role("button", name="drop").click()
    table.settle()
    assert page.evaluate(grey) == 120 and A1 in page.locator(".pm-title").inner_text()


def test_csv_goes_in_and_out(page, tmp_path):
    table = Table(page, tmp_path / "l.csv")
    table.key("k")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV").click()
    text = download.value.path().read_text()
    assert parse_labels(text) == [Label(A0, "me", "keep")]
    (tmp_path / "more.csv").write_text(to_csv([Label(A1, "you", "drop"), Label(B0, "me", "drop")]))
    page.locator("input[type=file]").set_input_files(tmp_path / "more.csv")
    page.wait_for_function("model.sent.some((one) => one.kind === 'csv')")
    table.settle()
    assert table.status() == "2 labels taken in" and len(table.widget.labels) == 3


def test_a_page_without_a_kernel_says_so(page, tmp_path):
    show(page, Labeller(ANIMATIONS, tmp_path / "l.csv"), live=False)
    page.get_by_role("button", name="keep").click()
    assert "needs the notebook" in page.locator(".pm-status").inner_text()

"""Labels by hand: CSV in and out, two raters, and the buttons that ask for them."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from lib.labeller import Labeller, agreement, write_labels
from puppetmaster_core.curation.labels import Label, LabelError, read_labels, verdicts


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


def test_the_last_answer_counts(tmp_path):
    (tmp_path / "l.csv").write_text("animation,rater,answer\na,me,keep\na,me,drop\n")
    assert read_labels(tmp_path / "l.csv") == [Label("a", "me", "drop")]


@pytest.mark.parametrize(("text", "line"), [
    ("a,b\n1,2\n", "expected animation, rater, answer"), ("", "expected animation, rater, answer"),
    ("animation,rater,answer\na,me,keep\nb,me,maybe\n", "line 3.*maybe"),
])
def test_other_files_are_refused(tmp_path, text, line):
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(LabelError, match=line):
        read_labels(tmp_path / "l.csv")


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
    assert found == (10, 0.8, pytest.approx(0.28 / 0.48))
    assert math.isnan(agreement(labels, "1", "3")[2])
    assert math.isnan(agreement([Label("a", "1", "keep"), Label("a", "2", "keep")], "1", "2")[2])


# ---- the buttons -----------------------------------------------------------------------------------------------------------


def test_it_picks_up_where_it_stopped_and_leaves_others_alone(tmp_path):
    write_labels(tmp_path / "l.csv", [Label(A0, "you", "drop"), Label("elsewhere#0", "me", "keep")])
    first = Labeller(ANIMATIONS, tmp_path / "l.csv", rater="me")
    first.buttons["keep"].click()
    assert first.heading.value == f"{A1} (2 of 3, 1 answered)"
    again = Labeller(ANIMATIONS, tmp_path / "l.csv", rater="me")
    assert again.at == 1 and again.agreement("you")[:2] == (1, 0.0)
    again.buttons["unsure"].click()
    again.buttons["drop"].click()
    kept = [Label(A0, "you", "drop"), Label("elsewhere#0", "me", "keep"), Label(A0, "me", "keep")]
    assert read_labels(tmp_path / "l.csv") == [*kept, Label(A1, "me", "unsure"), Label(B0, "me", "drop")]
    again.undo()
    again.undo()
    assert again.at == 1 and read_labels(tmp_path / "l.csv") == kept
    again.undo()  # nothing of this session is left to take back
    assert read_labels(tmp_path / "l.csv") == kept


def test_the_animation_is_shown_with_four_moments(tmp_path):
    labeller = Labeller(ANIMATIONS, tmp_path / "l.csv")
    assert labeller.box._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]
    shown = []
    for at in range(4):  # the fourth is the first again
        labeller.show(at)
        with Image.open(io.BytesIO(labeller.picture.value)) as film:
            assert film.n_frames == 8 and film.size[0] == 5 * film.size[1]
            shown.append(film.convert("RGB").getpixel((5, 5))[0])
    np.testing.assert_allclose(shown, [20, 120, 220, 20], atol=2)

"""The labelling widget: animations one by one, keep, drop or unsure, for the forest of §4.

    labeller = Labeller({"chest.glb#0": frames, …}, "labels.csv", rater="me")   # shown as the last line of a cell
    labeller.labels                                                             # every answer so far, of all raters

Letters: N frames, (H, W) pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
from traitlets import Dict, Int, List, Unicode

from puppetmaster_core.curation.labels import (
    Agreement,
    Label,
    LabelError,
    agreement,
    parse_labels,
    read_labels,
    to_csv,
    write_labels,
)
from puppetmaster_core.editor.bundle import script, style
from puppetmaster_core.editor.film import film

JS = Path(__file__).with_name("js")


class Labeller(anywidget.AnyWidget):
    """Four moments and a small player for each animation, and three keys: K keep, D drop, U unsure; Z takes the last back.

    animations: frames (N, H, W, 3) uint8 by "ASSET#ANIMATION", or functions that make them when their turn comes. path: a CSV
    file of labels: read at the start, so that it goes on with the first animation `rater` has not answered, and written after
    every answer. Other raters' answers in it stay. Raises LabelError, OSError.
    """

    _esm = script("labeller", JS)
    _css = style("labeller", JS)
    ids = List().tag(sync=True)
    at = Int(0).tag(sync=True)  # the animation that is shown
    shown = Dict().tag(sync=True)  # its film
    answers = Dict().tag(sync=True)  # this rater's, by animation, in the order given
    rater = Unicode("").tag(sync=True)
    text = Unicode("").tag(sync=True)  # all labels as CSV, to save from the page
    said = Unicode("").tag(sync=True)  # a line for the page
    fps = Int(12).tag(sync=True)

    def __init__(self, animations: Mapping[str, np.ndarray | Callable[[], np.ndarray]], path: str | os.PathLike, *,
                 rater: str = "me"):
        if not animations:
            raise LabelError("no animations came, wanted some to label")
        if not rater.strip():
            raise LabelError("an empty name came for the rater, wanted one")
        self.path, self._animations, self._made = Path(path), dict(animations), {}
        found = read_labels(self.path) if self.path.exists() else []
        self._others = [label for label in found if label.rater != rater]
        answers = {label.animation: label.answer for label in found if label.rater == rater}
        super().__init__(ids=list(animations), answers=answers, rater=rater)
        self.at = self._next(0)
        self._show()
        self.on_msg(self._heard)
        self.observe(lambda change: self._show(), "at")

    @property
    def labels(self) -> list[Label]:
        """Every answer so far: other raters' first, then this one's in the order they were given."""
        return [*self._others, *(Label(animation, self.rater, answer) for animation, answer in self.answers.items())]

    def agreement(self, other: str) -> Agreement:
        """How far this rater agrees with another one in the file."""
        return agreement(self.labels, self.rater, other)

    def answer(self, answer: str) -> None:
        """What a key does: answer for the animation that is shown, and go to the next without an answer. Raises LabelError."""
        label = Label(self.ids[self.at], self.rater, answer)
        self._keep({**{a: b for a, b in self.answers.items() if a != label.animation}, label.animation: answer})
        self.at = self._next(self.at + 1)

    def undo(self) -> None:
        """Take the last answer back and show its animation."""
        if self.answers:
            last = list(self.answers)[-1]
            self._keep({a: b for a, b in self.answers.items() if a != last})
            if last in self.ids:
                self.at = self.ids.index(last)

    def take_in(self, text: str) -> int:
        """Labels from CSV, of any raters; they replace those of the same animation and rater. How many. Raises LabelError."""
        labels = parse_labels(text)
        other = {(label.animation, label.rater): label for label in [*self._others, *labels] if label.rater != self.rater}
        self._others = list(other.values())
        own = {label.animation: label.answer for label in labels if label.rater == self.rater}
        self._keep({**{a: b for a, b in self.answers.items() if a not in own}, **own})
        self.at = self._next(0)
        return len(labels)

    def _keep(self, answers: dict[str, str]) -> None:
        self.answers = answers
        write_labels(self.path, self.labels)
        self.text = to_csv(self.labels)

    def _next(self, start: int) -> int:
        """The first animation without an answer from `start` on, then from the beginning; the last where all have one."""
        order: Sequence[int] = [*range(start, len(self.ids)), *range(min(start, len(self.ids)))]
        return next((i for i in order if self.ids[i] not in self.answers), len(self.ids) - 1)

    def _show(self) -> None:
        name = self.ids[self.at]
        frames = self._animations[name]
        self.shown = film(np.asarray(frames() if callable(frames) else frames)) | {"id": name}
        self.text = to_csv(self.labels)

    # From the page: {"kind": "answer", "answer"}, {"kind": "undo"}, {"kind": "go", "at"}, {"kind": "csv", "text"}.
    def _heard(self, _, message, buffers) -> None:
        kind, self.said = message.get("kind"), ""
        try:
            if kind == "answer":
                self.answer(str(message.get("answer")))
            elif kind == "undo":
                self.undo()
            elif kind == "go":
                self.at = min(max(int(message.get("at", 0)), 0), len(self.ids) - 1)
            elif kind == "csv":
                self.said = f"{self.take_in(str(message.get('text')))} labels taken in"
        except (LabelError, OSError, ValueError) as error:
            self.said = str(error)

"""One film after another and a few answers, in plain ipywidgets: labelling (§4) and counting (Table 2) ask with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets
import numpy as np

from puppetmaster_core.video import Video

SIDE = 256  # pixels: smaller films are enlarged


class Asking:
    """Shows film after film with a button for each of `choices`; the last line of a cell.

    films: functions that make frames (N, H, W, 3) uint8, called when their turn comes, or a `Video` with its drags. titles: what
    stands above each. `answers`: one of choices, or "", for each film.
    """

    def __init__(self, titles: Sequence[str], films: Sequence[Callable[[], np.ndarray | Video]], choices: Sequence[str],
                 answers: Sequence[str]):
        self.titles, self.films, self.choices, self.answers = list(titles), list(films), tuple(choices), list(answers)
        self.order: list[int] = []  # of the answers given here, for undo
        self.heading, self.picture = ipywidgets.HTML(), ipywidgets.Image(format="gif")
        self.buttons = {choice: self._button(choice, lambda choice=choice: self.answer(choice)) for choice in self.choices}
        moves = [self._button("‹", lambda: self.show(self.at - 1)), self._button("›", lambda: self.show(self.at + 1)),
                 self._button("undo", self.undo)]
        self.box = ipywidgets.VBox([self.heading, self.picture, ipywidgets.HBox([*self.buttons.values(), *moves])])
        self.show(self._next(0))

    def _repr_mimebundle_(self, **options):
        return self.box._repr_mimebundle_(**options)

    def answer(self, choice: str) -> None:
        """What a button does: answer for the film that is shown, and go to the next without an answer."""
        if choice not in self.choices:
            raise ValueError(f"got {choice!r}, expected one of {', '.join(self.choices)}")
        self.answers[self.at] = choice
        self.order.append(self.at)
        self.changed()
        self.show(self._next(self.at + 1))

    def undo(self) -> None:
        """Take back the last answer given here, and show its film."""
        if self.order:
            at = self.order.pop()
            self.answers[at] = ""
            self.changed()
            self.show(at)

    def show(self, at: int) -> None:
        """Show film `at`, counted round and round."""
        self.at = at % len(self.films)
        self.picture.value = _gif(self.films[self.at]())
        done, given = sum(map(bool, self.answers)), self.answers[self.at]
        self.heading.value = f"{self.titles[self.at]} ({self.at + 1} of {len(self.films)}, {done} answered)"
        for choice, button in self.buttons.items():
            button.button_style = "primary" if choice == given else ""

    def changed(self) -> None:
        """After every change of an answer: nothing, here."""

    def _next(self, start: int) -> int:
        """The first film without an answer from `start` on, then from the beginning; the last where all have one."""
        count = len(self.films)
        return next((at % count for at in range(start, start + count) if not self.answers[at % count]), count - 1)

    def _button(self, text: str, act: Callable[[], None]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=text, layout={"width": "auto"})
        button.on_click(lambda _: act())
        return button


def _gif(film: np.ndarray | Video) -> bytes:
    video = Video(np.asarray(getattr(film, "frames", film)), drags=getattr(film, "drags", None))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.gif")
        video.save(path, overlay=video.drags or False, upscale=min(16, max(1, SIDE // video.frames.shape[1])))
        return path.read_bytes()

"""Counting wrong directions by hand, as the paper does for Table 2: one video after another, without saying whose it is.

The paper writes ≥ where some videos are hard to tell, so there are three answers. The automatic count is `evaluation.motion`'s.

    count = Counting.of("videos")   # shows the widget, of what `puppetmaster evaluate --videos videos` kept
    count = Counting({"mini": [("00000", video), …], "tiny": […]})   # or of any others
    count.save("counts.csv"); count.rates()
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import anywidget
import numpy as np
from traitlets import Float, Int, List

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor.bundle import script, style
from puppetmaster_core.editor.film import film
from puppetmaster_core.evaluation.videos import kept_videos
from puppetmaster_core.files import whole_file

ANSWERS = ("right", "wrong", "unclear")
COLUMNS = ("row", "clip", "answer")
JS = Path(__file__).with_name("js")


class Counting(anywidget.AnyWidget):
    """The films of several rows, shuffled, with their drags drawn over them; `answers` has one of ANSWERS or "" for each.

    rows: for each row its (clip id, video); a video is a `Video` or frames (N, H, W, 3) uint8. drags: by clip id, for videos
    that bring none. seed: of the shuffling. The page is not told which row a film belongs to. Raises ValueError without videos.
    """

    _esm = script("counting", JS)
    _css = style("player")
    films = List().tag(sync=True)
    answers = List().tag(sync=True)
    fps = Float(7.0).tag(sync=True)
    width = Int(320).tag(sync=True)

    def __init__(self, rows: Mapping[str, Iterable[tuple[str, object]]], *, drags: Mapping[str, Drags] | None = None,
                 seed: int = 0, width: int = 320):
        given = [(row, clip, video) for row, videos in rows.items() for clip, video in videos]
        if not given:
            raise ValueError("no videos came, wanted at least one")
        order = np.random.default_rng(seed).permutation(len(given))
        self.asked = [given[k][:2] for k in order]  # (row, clip) of each film; stays on this side
        if len(set(self.asked)) < len(self.asked):
            raise ValueError("a clip came twice in one row, wanted each once")
        films = [_film(k, *given[at][1:], drags or {}) for k, at in enumerate(order, start=1)]
        super().__init__(films=films, answers=[""] * len(films), width=width)

    @classmethod
    def of(cls, folder: str | Path, **options) -> Counting:
        """Of the videos in `folder`, METHOD/CLIP with its drags, METHOD/CLIP.json. Raises VideoError or DragError."""
        return cls(kept_videos(folder), **options)

    def counts(self) -> dict[str, dict[str, int]]:
        """For each row how often each answer was given, and how many films have none yet."""
        table = {row: dict.fromkeys((*ANSWERS, "not seen"), 0) for row, _ in self.asked}
        for (row, _), answer in zip(self.asked, self.answers, strict=True):
            table[row][answer if answer in ANSWERS else "not seen"] += 1
        return dict(sorted(table.items()))

    def rates(self) -> dict[str, tuple[float, float]]:
        """For each row the percentage of answered videos that went wrong: at least, and at most if all unclear ones did too.

        NaN without an answer. The first is the paper's "≥" where the two differ.
        """
        found = {}
        for row, count in self.counts().items():
            seen = sum(count[answer] for answer in ANSWERS) or float("nan")
            found[row] = (100 * count["wrong"] / seen, 100 * (count["wrong"] + count["unclear"]) / seen)
        return found

    def save(self, path: str | Path) -> None:
        """Write the answers so far as CSV: row, clip, answer."""
        with whole_file(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows((*asked, answer) for asked, answer in zip(self.asked, self.answers, strict=True) if answer)

    def load(self, path: str | Path) -> None:
        """Take over the answers of a CSV, to go on from there. Raises ValueError for one that is not of these videos."""
        with open(path, newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        answers = dict(zip(self.asked, self.answers, strict=True))
        for line in lines:
            asked = (line.get("row"), line.get("clip"))
            if asked not in answers or line.get("answer") not in ANSWERS:
                raise ValueError(f"{path}: {line} came, wanted row and clip of these videos, and one of {', '.join(ANSWERS)}")
            answers[asked] = line["answer"]
        self.answers = list(answers.values())


def _film(number: int, clip: str, video, drags: Mapping[str, Drags]) -> dict:
    """One film with its drags, named by its number only."""
    made = film(np.asarray(getattr(video, "frames", video))) | {"alt": f"video {number}"}
    over = getattr(video, "drags", None) or drags.get(clip)
    return made | ({"drags": over.points.tolist()} if over else {})

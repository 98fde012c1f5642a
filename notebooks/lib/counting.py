"""Counting wrong directions by hand, as the paper does for Table 2: one video after another, without saying whose it is.

The paper writes ≥ where some videos are hard to tell, so there are three answers. The automatic count is `evaluation.motion`'s.

    count = Counting.of("videos")   # shows the buttons, of what `puppetmaster evaluate --videos videos` kept
    count = Counting({"mini": [("00000", video), …], "tiny": […]})   # or of any others
    count.save("counts.csv"); count.rates()
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lib.asking import Asking
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.videos import VideoError, find_video, read_video
from puppetmaster_core.files import whole_file
from puppetmaster_core.video import Video

ANSWERS = ("right", "wrong", "unclear")
COLUMNS = ("row", "clip", "answer")


class Counting(Asking):
    """The videos of several rows, shuffled, with their drags drawn over them; `answers` has one of ANSWERS or "" for each.

    rows: for each row its (clip id, `Video`). seed: of the shuffling. What is shown does not tell which row a video belongs to.
    Raises ValueError without videos.
    """

    def __init__(self, rows: Mapping[str, Iterable[tuple[str, Video]]], *, seed: int = 0):
        given = [(row, clip, video) for row, videos in rows.items() for clip, video in videos]
        order = np.random.default_rng(seed).permutation(len(given))
        self.asked = [given[k][:2] for k in order]  # (row, clip) of each video
        if not given or len(set(self.asked)) < len(given):
            raise ValueError(f"got {len(given)} videos of {len(set(self.asked))} clips, expected some, each clip once in a row")
        videos = [given[k][2] for k in order]
        super().__init__([f"video {k + 1}" for k in range(len(given))], [lambda video=video: video for video in videos], ANSWERS,
                         [""] * len(given))

    @classmethod
    def of(cls, folder: str | Path, **options) -> Counting:
        """Of the videos in `folder`, METHOD/CLIP with its drags, METHOD/CLIP.json. Raises VideoError or DragError."""
        return cls(kept_videos(folder), **options)

    def counts(self) -> dict[str, dict[str, int]]:
        """For each row how often each answer was given, and how many videos have none yet."""
        table = {row: dict.fromkeys((*ANSWERS, "not seen"), 0) for row, _ in self.asked}
        for (row, _), answer in zip(self.asked, self.answers, strict=True):
            table[row][answer or "not seen"] += 1
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
                raise ValueError(f"{path}: got {line}, expected row and clip of these videos, and one of {', '.join(ANSWERS)}")
            answers[asked] = line["answer"]
        self.answers = list(answers.values())
        self.show(self._next(0))


def kept_videos(folder: str | Path) -> dict[str, list[tuple[str, Video]]]:
    """What lies in `folder` as `puppetmaster evaluate --videos` keeps it, METHOD/CLIP with METHOD/CLIP.json: (clip, video) by
    method. Raises VideoError or DragError."""
    found = {}
    for drags in sorted(Path(folder).glob("*/*.json")):
        if path := find_video(drags.parent, drags.stem):
            frames = read_video(path)
            video = Video(frames, drags=Drags.from_json(drags, len(frames)))
            found.setdefault(drags.parent.name, []).append((drags.stem, video))
    if not found:
        raise VideoError(f"{folder}: got no videos, expected METHOD/CLIP with METHOD/CLIP.json, as puppetmaster evaluate "
                         "--videos keeps them")
    return found

"""Asking the judge about many animations: every answer is bought once, kept on disk, and paid within a budget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from puppetmaster_core.clips.sources import Source
from puppetmaster_core.curation.judge import Judge, JudgeError, NoAnswer
from puppetmaster_core.curation.measuring import CurationPlan
from puppetmaster_core.curation.pictures import quarters, strip, to_png, unstrip
from puppetmaster_core.curation.prompt import PROMPT, VERSION, MalformedAnswer
from puppetmaster_core.files import whole_file, write_json
from puppetmaster_core.isolation import run_isolated, restart_time_limit

SAID = 2000  # characters of an answer, as it came, that are kept
PATIENCE = 3  # animations in a row without an answer, after which the server counts as gone


class BudgetSpent(RuntimeError):
    """The next question could cost more than is left. The message is one line."""


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens, in and out."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def of(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


# ---- pictures --------------------------------------------------------------------------------------------------------------


def picture_path(folder: Path, number: int, animation: int) -> Path:
    return folder / "pictures" / f"{number:06d}-{animation:03d}.png"


def draw_missing(folder: Path, source: Source, wanted: Iterable[tuple[int, int]], size: int, *, workers: int = 2,
                 time_limit: float | None = None, memory_gb: float | None = None) -> Iterator[tuple[int, str | None]]:
    """Draw the strips of the (asset, animation) numbers `wanted` that are not there; (asset, error) for each asset."""
    todo: dict[int, list[int]] = {}
    for number, animation in wanted:
        if not picture_path(folder, number, animation).is_file():
            todo.setdefault(number, []).append(animation)
    if not todo:
        return
    (folder / "pictures").mkdir(exist_ok=True)
    for outcome in run_isolated(partial(_draw, str(folder), source, size), list(todo.items()), workers=workers,
                                time_limit=time_limit, memory_gb=memory_gb):
        yield outcome.job[0], outcome.error


def _draw(folder: str, source: Source, size: int, job: tuple[int, list[int]]) -> None:
    number, animations = job
    asset = source.open(number)
    for animation in animations:
        restart_time_limit()
        data = to_png(strip(quarters(asset, animation, size)))
        with whole_file(picture_path(Path(folder), number, animation)) as partial_file:
            partial_file.write_bytes(data)


def read_pictures(path: Path) -> list[bytes]:
    """The four pictures of a strip on disk, a PNG each. Raises OSError."""
    with Image.open(path) as picture:
        return [to_png(one) for one in unstrip(np.asarray(picture.convert("RGB")))]


# ---- answers ---------------------------------------------------------------------------------------------------------------


def answer_key(pictures: Sequence[bytes], model: str) -> str:
    """What an answer hangs on: the pictures, the prompt and the model."""
    digest = hashlib.sha256(json.dumps([VERSION, PROMPT, model]).encode())
    for picture in pictures:
        digest.update(hashlib.sha256(picture).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class Answers:
    """Answers on disk, answers/KEY.json each."""

    folder: Path
    model: str

    def path(self, pictures: Sequence[bytes]) -> Path:
        return self.folder / "answers" / f"{answer_key(pictures, self.model)}.json"

    def of(self, strip_path: Path) -> dict | None:
        """What was said of a strip on disk; None = not asked yet. A strip that could not be drawn is an error."""
        if not strip_path.is_file():
            return {"error": "its pictures could not be drawn"}
        path = self.path(read_pictures(strip_path))
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def bought(self) -> list[dict]:
        """All answers in the folder, of this model and this prompt."""
        found = (json.loads(path.read_text(encoding="utf-8")) for path in sorted((self.folder / "answers").glob("*.json")))
        return [answer for answer in found if (answer["model"], answer["prompt"]) == (self.model, VERSION)]


def ask_all(judge: Judge, answers: Answers, strips: Sequence[Path], price: Price = Price(), budget: float | None = None,
            progress: Callable[[Sequence], Iterable] = iter, retry: bool = False) -> None:
    """Ask about every strip that has no answer yet. A malformed answer, or none in all tries, costs that strip only.

    budget: dollars for all answers of the folder; before a question the dearest one so far must still fit. retry: ask again
    where an answer was malformed. Raises BudgetSpent, and JudgeError where the server refuses or seems gone: what was
    answered stays, and the next call goes on from there.
    """
    (answers.folder / "answers").mkdir(exist_ok=True)
    costs = [price.of(a["tokens_in"], a["tokens_out"]) for a in answers.bought()]
    spent, dearest = sum(costs), max(costs, default=0.0)
    unheard: list[tuple[Path, str, str]] = []  # kept back until the server is heard again: it may be gone for all
    for strip_path in progress(strips):
        if not strip_path.is_file():
            continue
        pictures = read_pictures(strip_path)
        path = answers.path(pictures)
        if path.is_file() and not (retry and json.loads(path.read_text(encoding="utf-8")).get("error")):
            continue
        if budget is not None and spent + dearest > budget:
            raise BudgetSpent(f"${spent:.4f} of ${budget:g} are spent and the next answer may cost ${dearest:.4f}: start again "
                              "with a larger --budget, and it goes on from here")
        try:
            record = _record(judge, pictures)
        except NoAnswer as error:
            unheard.append((path, strip_path.name, str(error)))
            if len(unheard) >= PATIENCE:
                raise JudgeError(f"{error}, {PATIENCE} animations in a row: start again when that is mended") from None
            continue
        while unheard:
            _give_up(judge, *unheard.pop())
        _write(path, judge, strip_path.name, record)
        cost = price.of(record["tokens_in"], record["tokens_out"])
        spent, dearest = spent + cost, max(dearest, cost)
    for one in unheard:
        _give_up(judge, *one)


def _write(path: Path, judge: Judge, name: str, record: dict) -> None:
    write_json(path, {"model": judge.model, "prompt": VERSION, "strip": name, **record})


def _give_up(judge: Judge, path: Path, name: str, error: str) -> None:
    _write(path, judge, name, {"error": error, "tokens_in": 0, "tokens_out": 0, "tries": judge.tries})


def _record(judge: Judge, pictures: Sequence[bytes]) -> dict:
    reply = judge.ask(pictures)
    said = reply.text if isinstance(reply.text, str) else json.dumps(reply.text)
    record = {"said": said[:SAID], "tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "tries": reply.tries}
    try:
        return {**vars(reply.answer), **record}
    except MalformedAnswer as error:
        return {"error": str(error), **record}


def bill(answers: Answers, price: Price) -> dict:
    """What the folder's answers took: how many, how many of no use, tokens, tries, dollars."""
    bought = answers.bought()
    total = {name: sum(a[name] for a in bought) for name in ("tokens_in", "tokens_out", "tries")}
    return {"answers": len(bought), "of no use": sum("error" in a for a in bought), **total,
            "dollars": round(price.of(total["tokens_in"], total["tokens_out"]), 6), "model": answers.model, "prompt": VERSION}


@dataclass(frozen=True)
class Asked:
    """The judge's stage of a run: what it drew, asked and paid in the run's folder."""

    folder: Path
    plan: CurationPlan
    judge: Judge
    price: Price = Price()

    @property
    def answers(self) -> Answers:
        return Answers(self.folder, self.judge.model)

    def draw(self, rows: Sequence[dict], **limits) -> Iterator[tuple[str, str]]:
        """Draw what is missing for these rows; (asset, error) for each asset that could not be drawn."""
        wanted = [(row["number"], row["animation"]) for row in rows]
        for number, error in draw_missing(self.folder, self.plan.source, wanted, self.plan.picture_size, **limits):
            if error:
                yield self.plan.source.name(number), error

    def ask(self, rows: Sequence[dict], budget: float | None = None, progress: Callable = iter, retry: bool = False) -> None:
        """Ask about these rows, as `ask_all` does."""
        strips = [picture_path(self.folder, row["number"], row["animation"]) for row in rows]
        ask_all(self.judge, self.answers, strips, self.price, budget, progress, retry)

    def of_row(self, row: dict) -> dict | None:
        """What was said of a row; None = not asked yet."""
        return self.answers.of(picture_path(self.folder, row["number"], row["animation"]))

    def bill(self) -> dict:
        return bill(self.answers, self.price)

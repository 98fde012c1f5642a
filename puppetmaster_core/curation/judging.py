"""Asking the judge about many animations: every answer is bought once, kept on disk, and paid within a budget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from puppetmaster_core.clips.sources import Source
from puppetmaster_core.curation.judge import PROMPT, VERSION, Judge, JudgeError, MalformedAnswer, NoAnswer, Reply
from puppetmaster_core.curation.pictures import quarters, strip, to_png, unstrip
from puppetmaster_core.files import whole_file, write_json
from puppetmaster_core.isolation import restart_time_limit, run_isolated

SAID = 2000  # characters of an answer, as it is, that are kept
PATIENCE = 3  # animations in a row without an answer, after which the server counts as gone


class BudgetSpent(RuntimeError):
    """The next question could cost more than is left. The message is one line."""


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens, in and out."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def of(self, answer: dict) -> float:
        return (answer["tokens_in"] * self.tokens_in + answer["tokens_out"] * self.tokens_out) / 1e6


@dataclass(frozen=True)
class Judging:
    """The judge's stage of a run: pictures/NUMBER-ANIMATION.png, the strips that it is shown, and answers/KEY.json."""

    folder: Path
    judge: Judge  # or LocalJudge
    price: Price = Price()

    def strip(self, row: dict) -> Path:
        """Where the strip of a row's animation lies."""
        return self.folder / "pictures" / f"{row['number']:06d}-{row['animation']:03d}.png"

    def draw(self, rows: Iterable[dict], source: Source, size: int, **limits) -> Iterator[tuple[str, str]]:
        """Draw the strips that are missing, in processes with `limits`, see `run_isolated`; (asset, error) of what fails."""
        todo: dict[int, list[tuple[int, Path]]] = {}
        for row in rows:
            if not self.strip(row).is_file():
                todo.setdefault(row["number"], []).append((row["animation"], self.strip(row)))
        (self.folder / "pictures").mkdir(exist_ok=True)
        for outcome in run_isolated(partial(_draw, source, size), todo.items(), **limits):
            if outcome.error:
                yield source.name(outcome.job[0]), outcome.error

    def path(self, pictures: Sequence[bytes]) -> Path:
        """Where an answer about pictures lies: it hangs on them, the prompt and the model."""
        digest = hashlib.sha256(json.dumps([VERSION, PROMPT, self.judge.model]).encode())
        for picture in pictures:
            digest.update(hashlib.sha256(picture).digest())
        return self.folder / "answers" / f"{digest.hexdigest()}.json"

    def answer(self, strip_path: Path) -> dict | None:
        """What was said of a strip on disk; None = not asked yet. A strip that could not be drawn is an error."""
        if not strip_path.is_file():
            return {"error": "its pictures could not be drawn"}
        return _read(self.path(read_pictures(strip_path)))

    def bought(self) -> list[dict]:
        """All answers in the folder, of this model and this prompt."""
        found = map(_read, sorted((self.folder / "answers").glob("*.json")))
        return [answer for answer in found if (answer["model"], answer["prompt"]) == (self.judge.model, VERSION)]

    def bill(self) -> dict:
        """What the folder's answers took: how many, how many of no use, tokens, tries, dollars."""
        bought = self.bought()
        total = {name: sum(answer[name] for answer in bought) for name in ("tokens_in", "tokens_out", "tries")}
        return {"answers": len(bought), "of no use": sum("error" in answer for answer in bought), **total,
                "dollars": round(self.price.of(total), 6), "model": self.judge.model, "prompt": VERSION}

    def ask(self, strips: Iterable[Path], budget: float | None = None, retry: bool = False) -> None:
        """Ask about every strip that has no answer yet. A malformed answer, or none in all tries, costs that strip only.

        budget: dollars for all answers of the folder; before a question the dearest one so far must still fit. retry: ask again
        where an answer was malformed. Raises BudgetSpent, and JudgeError where the server refuses or seems gone: what was
        answered stays, and the next call goes on from there.
        """
        (self.folder / "answers").mkdir(exist_ok=True)
        costs = [self.price.of(answer) for answer in self.bought()]
        unheard: dict[Path, dict] = {}  # kept back until the server is heard again: it may be gone for all
        for strip_path in strips:
            if not strip_path.is_file():
                continue
            pictures = read_pictures(strip_path)
            path = self.path(pictures)
            known = _read(path)
            if known and not (retry and known.get("error")):
                continue
            self._afford(costs, budget)
            about = {"model": self.judge.model, "prompt": VERSION, "strip": strip_path.name}
            try:
                record = about | _record(self.judge.ask(pictures))
            except NoAnswer as error:
                unheard[path] = about | {"error": str(error), "tokens_in": 0, "tokens_out": 0, "tries": self.judge.tries}
                if len(unheard) >= PATIENCE:
                    raise JudgeError(f"{error}, {PATIENCE} animations in a row: start again when that is mended") from None
                continue
            _write_all(unheard)
            unheard.clear()
            write_json(path, record)
            costs.append(self.price.of(record))
        _write_all(unheard)

    def _afford(self, costs: list[float], budget: float | None) -> None:
        spent, dearest = sum(costs), max(costs, default=0.0)
        if budget is not None and spent + dearest > budget:
            raise BudgetSpent(f"${spent:.4f} of ${budget:g} are spent and the next answer may cost ${dearest:.4f}: start again "
                              "with a larger --budget, and it goes on from here")


def read_pictures(path: Path) -> list[bytes]:
    """The four pictures of a strip on disk, a PNG each. Raises OSError."""
    with Image.open(path) as picture:
        return [to_png(one) for one in unstrip(np.asarray(picture.convert("RGB")))]


def _draw(source: Source, size: int, job: tuple[int, list[tuple[int, Path]]]) -> None:
    """In a worker: the strips of an asset's animations."""
    number, animations = job
    asset = source.open(number)
    for animation, path in animations:
        restart_time_limit()
        with whole_file(path) as partial_file:
            partial_file.write_bytes(to_png(strip(quarters(asset, animation, size))))


def _read(path: Path) -> dict | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _write_all(records: dict[Path, dict]) -> None:
    for path, record in records.items():
        write_json(path, record)


def _record(reply: Reply) -> dict:
    said = reply.text if isinstance(reply.text, str) else json.dumps(reply.text)
    record = {"said": said[:SAID], "tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "tries": reply.tries}
    try:
        return {**vars(reply.answer), **record}
    except MalformedAnswer as error:
        return {"error": str(error), **record}

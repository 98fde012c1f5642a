"""What a hand that drags is shown: the newest question is answered, older ones are dropped."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock, Thread

import numpy as np

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor.maker import Maker

FAST = 0.25  # seconds a frame, up to which the picture follows the hand


class LiveHand:
    """answer(question, frame) is called in a thread of its own; question: a dictionary with "record" and "seed"."""

    def __init__(self, maker: Maker, picture, answer: Callable[[dict, np.ndarray], None], failed: Callable[[str], None]):
        self._maker, self._picture, self._answer, self._failed = maker, picture, answer, failed
        self._live, self._next, self._busy, self._lock = None, None, False, Lock()

    def measure(self) -> dict:
        """{"on": whether the picture can follow on this machine, "why": in a word where it cannot}. A second frame is timed."""
        self._maker.load()
        drags = Drags(np.linspace((0.4, 0.4), (0.6, 0.6), 2)[None].astype(np.float32))
        try:
            for _ in range(2):
                begin = time.perf_counter()
                self._frame(drags, 0)
                seconds = time.perf_counter() - begin
        except ValueError as error:
            return {"on": False, "why": f"Live dragging is off: {error}."}
        if seconds > FAST:
            return {"on": False, "why": f"Live dragging is off: a frame takes {seconds:.1f} s here. Let go, and press Generate."}
        return {"on": True, "why": ""}

    def suggest(self) -> list:
        """`LivePicture.suggest` of the picture."""
        with self._maker.lock:
            return self._picture_alive().suggest()

    def ask(self, question: dict) -> None:
        """Answer this as soon as the last answer is out, unless another question comes before."""
        with self._lock:
            self._next = question
            if self._busy:
                return
            self._busy = True
        Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                question, self._next = self._next, None
                if question is None:
                    self._busy = False
                    return
            try:
                self._answer(question, self._frame(Drags.from_json(question["record"]), int(question.get("seed", 0))))
            except Exception as error:  # a thread has nobody to raise to: the page tells it
                self._failed(f"{error}" or type(error).__name__)

    def _frame(self, drags: Drags, seed: int) -> np.ndarray:
        with self._maker.lock:
            return self._picture_alive().frame(drags, seed)

    def _picture_alive(self):
        if self._live is None:
            from puppetmaster_core.live import LivePicture

            self._live = LivePicture(self._maker.load(), self._picture)
        return self._live

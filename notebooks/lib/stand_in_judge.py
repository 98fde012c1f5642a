"""A stand-in for a judge of realism: a chat-completions server on this machine that sees pictures and follows a rule.

It is no vision-language model and its verdicts are worth nothing. It is here so that a reader without a server can watch the
whole road, the errors on it too: it is busy at first, and once it forgets what it was asked to answer with.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import numpy as np
from PIL import Image

NAME = "stand-in-rule-1"
PREFIX = "data:image/png;base64,"
ALIKE = 0.02  # of the object's pixels: where fewer change from picture to picture, nothing is seen to move
TOKENS_A_PICTURE = 255  # what hosted models charge for a small one, about


def rule(pictures: list[np.ndarray]) -> dict:
    """An answer from pictures (H, W, 3) uint8 on white: realistic where at least ALIKE of the object changes between them."""
    object_seen = np.any([(picture < 250).any(2) for picture in pictures], axis=0).sum()
    steps = [(np.abs(later.astype(int) - earlier).max(2) > 24).sum() for earlier, later in pairwise(pictures)]
    share = max(steps, default=0) / max(object_seen, 1)
    said = f"at most {share:.0%} of the object changes from one picture to the next"
    return {"realistic": bool(share >= ALIKE), "reason": f"a rule, no model: {said}"}


def answer(body: dict, number: int) -> tuple[int, dict]:
    """Status and JSON for request `number` (from 0): the first is told to come again, the fourth gets words instead of JSON."""
    if number == 0:
        return 429, {"error": "busy, come again at once"}
    parts = body["messages"][0]["content"]
    shown = [part["image_url"]["url"].removeprefix(PREFIX) for part in parts if part["type"] == "image_url"]
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB")) for one in shown]
    text = "I would rather not say." if number == 3 else json.dumps(rule(pictures))
    words = sum(len(part["text"]) for part in parts if part["type"] == "text")
    usage = {"prompt_tokens": words // 4 + TOKENS_A_PICTURE * len(pictures), "completion_tokens": -(-len(text) // 4)}
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}


@contextmanager
def stand_in_judge() -> Iterator[dict[str, str]]:
    """Serves while this lasts; what the environment of `puppetmaster curate --judge` needs."""
    from puppetmaster_core.curation.judge import MODEL, URL

    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append(body)
            status, said = answer(body, len(heard) - 1)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield {URL: f"http://127.0.0.1:{server.server_port}/v1", MODEL: NAME}
    finally:
        server.shutdown()
        server.server_close()

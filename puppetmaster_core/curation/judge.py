"""The realism judge (§4): a vision-language model behind any server that speaks chat completions.

The server's address, the model and the key come from the environment; the key goes into one header and nowhere else.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from puppetmaster_core.files import shortened

URL, MODEL, KEY = "PUPPETMASTER_JUDGE_URL", "PUPPETMASTER_JUDGE_MODEL", "PUPPETMASTER_JUDGE_KEY"
AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)  # worth another try
ITS_OWN_FAULT = (400, 413, 422)  # something about these pictures
LONGEST = 60.0  # seconds between two tries

# What is asked. The paper's prompt was not published: this one is ours, and its version is on every answer.
VERSION = "puppetmaster.realism/1"

PROMPT = """\
The four pictures show one animated 3D object from the front, at the end of the first, second, third and fourth quarter of its \
animation. The object may be of any kind and in any style: cartoon figures and toys are welcome.

Decide whether the motion is realistic enough to teach a model how the parts of such an object move. Say that it is not when
- the object stays as it is, or only moves, turns or changes size as a whole;
- parts fly apart, pass through each other, come loose, appear or vanish;
- the shape melts, tears, collapses or stretches as no such object would;
- parts jump or tremble without a cause;
- what is seen is no object: an effect, a diagram, a camera's path, an empty picture.
Say that it is realistic when parts move as they do on a real object of the kind: limbs walk, lids open, wheels turn, leaves sway.

Answer with JSON: "realistic" (true or false) and "reason" (one short sentence)."""

SCHEMA = {
    "type": "object", "additionalProperties": False, "required": ["realistic", "reason"],
    "properties": {"realistic": {"type": "boolean"}, "reason": {"type": "string"}},
}


class JudgeError(RuntimeError):
    """The judge cannot be asked: a wrong address, key or model, or a server that is gone. One line, without the key."""


class NoAnswer(JudgeError):
    """One animation's answer could not be had; others may."""


@dataclass(frozen=True)
class Answer:
    """What a judge said of one animation."""

    realistic: bool
    reason: str


class MalformedAnswer(ValueError):
    """An answer that is not what was asked for. The message is one line."""


def parse_answer(text) -> Answer:
    """An answer's text as JSON, alone or within a fence or other words. Raises MalformedAnswer."""
    if not isinstance(text, str):
        raise MalformedAnswer(f"got a {type(text).__name__}, expected JSON text")
    start, end = text.find("{"), text.rfind("}")
    try:
        said = json.loads(text[start : end + 1])
    except ValueError:
        raise MalformedAnswer(f"got {shortened(text, 80)!r}, expected JSON with realistic and reason") from None
    if not isinstance(said, dict) or not isinstance(said.get("realistic"), bool) or not isinstance(said.get("reason"), str):
        raise MalformedAnswer(f'got {shortened(text, 80)!r}, expected {{"realistic": true or false, "reason": "…"}}')
    return Answer(said["realistic"], shortened(said["reason"], 500))


@dataclass(frozen=True)
class Reply:
    """What was answered about one animation."""

    text: object  # of the answer, as it is
    tokens_in: int
    tokens_out: int
    tries: int

    @property
    def answer(self) -> Answer:
        """Raises MalformedAnswer."""
        return parse_answer(self.text)


@dataclass(frozen=True)
class Judge:
    """A server and a model to ask."""

    url: str  # up to and with /v1
    model: str
    key: str = field(default="", repr=False)
    tries: int = 6
    timeout: float = 60.0  # seconds for one try
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Judge:
        """From PUPPETMASTER_JUDGE_URL, _MODEL and, where the server wants one, _KEY. Raises JudgeError."""
        missing = [name for name in (URL, MODEL) if not environment.get(name)]
        if missing:
            raise JudgeError(f"{' and '.join(missing)} not set: expected a chat-completions server (…/v1) and its model's name")
        url = environment[URL].rstrip("/")
        if not url.startswith(("http://", "https://")) or "@" in url:
            raise JudgeError(f"{URL} is no http address without a password: expected one like http://host:8000/v1, a key "
                             f"in {KEY}")
        return cls(url, environment[MODEL], environment.get(KEY, ""))

    def ask(self, pictures: Sequence[bytes]) -> Reply:
        """One request with the pictures (PNG files). Waits and tries again where the server is busy or stumbles.

        Raises NoAnswer when no try worked or these pictures are refused, JudgeError where any would be.
        """
        said = "nothing"
        for attempt in range(self.tries):
            if attempt:
                self.sleep(self._pause(attempt, said))
            try:
                response = httpx.post(f"{self.url}/chat/completions", json=request(self.model, pictures), timeout=self.timeout,
                                      headers={"Authorization": f"Bearer {self.key}"} if self.key else {})
            except httpx.HTTPError as error:
                said = type(error).__name__
                continue
            said = response
            if response.status_code == 200:
                return self._reply(response, attempt + 1)
            if response.status_code in ITS_OWN_FAULT:
                raise NoAnswer(f"{self.url}: these pictures are refused with {self._line(response)}")
            if response.status_code not in AGAIN:
                raise JudgeError(f"{self.url} refuses model {self.model!r}: {self._line(response)}: see {URL}, {MODEL}, {KEY}")
        last = said if isinstance(said, str) else self._line(said)
        raise NoAnswer(f"{self.url}: no answer in {self.tries} tries, the last gave {last}")

    def _reply(self, response: httpx.Response, tries: int) -> Reply:
        try:
            body = response.json()
            text, usage = body["choices"][0]["message"]["content"], body.get("usage") or {}
            text = self._hidden(text) if isinstance(text, str) else text
            return Reply(text, int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0), tries)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return Reply(self._hidden(response.text), 0, 0, tries)

    def _pause(self, attempt: int, said) -> float:
        """Seconds before the next try: what the server asks for, or 1, 2, 4, …; at most LONGEST."""
        try:
            asked = float(said.headers.get("retry-after", ""))
        except (AttributeError, ValueError):
            asked = 2.0 ** (attempt - 1)
        return min(max(asked, 0.0), LONGEST)

    def _line(self, response: httpx.Response) -> str:
        return f"status {response.status_code} ({self._hidden(' '.join(response.text.split())[:120])})"

    def _hidden(self, text: str) -> str:
        """A server may send the key back; nobody shall read it in a log."""
        return text.replace(self.key, "[key]") if self.key else text


def request(model: str, pictures: Sequence[bytes]) -> dict:
    """The request's body: our prompt, the pictures as data addresses, the answer's JSON schema."""
    addresses = [f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in pictures]
    shown = [{"type": "image_url", "image_url": {"url": address}} for address in addresses]
    return {"model": model, "temperature": 0, "max_tokens": 300,
            "messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}, *shown]}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "realism", "strict": True, "schema": SCHEMA}}}

"""What the realism judge is asked. The paper's prompt was not published: this one is ours, and its version is on every answer."""

from __future__ import annotations

import json
from dataclasses import dataclass

from puppetmaster_core.files import shortened

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

"""The realism judge on this machine: a vision-language model of transformers in the place of a server.

It is asked the same question about the same pictures, and its answers are parsed, kept and counted by the same code. The weights
are the reader's own: a folder, or a name on the Hub. Nothing in them is run: safetensors only, no code of the model's.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image

from puppetmaster_core.curation.judge import PROMPT, JudgeError, NoAnswer, Reply
from puppetmaster_core.files import one_line

LONGEST = 300  # tokens of an answer, as from a server
SAFE = {"trust_remote_code": False}
KEPT = ("*.json", "*.jinja", "*.safetensors")  # files that an answer hangs on


@dataclass(frozen=True)
class LocalJudge:
    """A model to ask, with the face of `Judge`."""

    model: str  # its name, and a digest of its files: answers are kept under it
    processor: object = field(repr=False)
    network: torch.nn.Module = field(repr=False)
    tries: int = 1  # it answers the same way every time

    @classmethod
    def load(cls, place: str | os.PathLike, device: str | None = None) -> LocalJudge:
        """A model that takes pictures and text, from a folder or the Hub, on `device` (None: a GPU where there is one).

        Raises JudgeError, in one line: no such model, no safetensors, one without pictures or without a chat template.
        """
        from huggingface_hub import snapshot_download
        from transformers import AutoModelForImageTextToText, AutoProcessor

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            folder = Path(place if Path(place).is_dir() else snapshot_download(str(place)))
            processor = AutoProcessor.from_pretrained(folder, **SAFE)  # some want torchvision, for videos, and say so
            network = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto", use_safetensors=True, **SAFE)
            network = network.to(device).eval()
        except Exception as error:  # whatever the readers of files from outside raise
            raise JudgeError(f"{place}: no vision-language model can be had from there ({one_line(error, 200)}): give a "
                             "folder or a Hub name that transformers' AutoModelForImageTextToText reads") from None
        if not getattr(processor, "chat_template", None):
            raise JudgeError(f"{place}: has no chat template, which says how it wants to be asked: give one that has")
        return cls(f"{Path(place).name}@{files_digest(folder)[:12]}", processor, network)

    def ask(self, pictures: Sequence[bytes]) -> Reply:
        """One question about the pictures (PNG files), answered with the likeliest tokens. Raises NoAnswer."""
        try:
            inputs = inputs_for(self.processor, pictures).to(self.network.device, self.network.dtype)
            with torch.inference_mode():
                said = self.network.generate(**inputs, max_new_tokens=LONGEST, do_sample=False)
        except (RuntimeError, ValueError) as error:  # out of memory is a RuntimeError
            raise NoAnswer(f"{self.model}: cannot answer about these pictures ({one_line(error, 200)})") from None
        asked = inputs["input_ids"].shape[1]
        answer = said[0, asked:]
        return Reply(self.processor.tokenizer.decode(answer, skip_special_tokens=True), asked, len(answer), 1)


def inputs_for(processor, pictures: Sequence[bytes]):
    """What the model gets: our prompt and the pictures in its own chat's form, as tensors by name."""
    shown = [{"type": "image", "image": Image.open(io.BytesIO(picture)).convert("RGB")} for picture in pictures]
    words = [{"role": "user", "content": [{"type": "text", "text": PROMPT}, *shown]}]
    return processor.apply_chat_template(words, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")


def files_digest(folder: Path) -> str:
    """SHA-256 of the names and contents of a model's files."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in KEPT for path in folder.glob(pattern)):
        with open(path, "rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()

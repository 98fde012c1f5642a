"""The data cards in data_cards/: what every card must hold, and the same words in its croissant.json.

A card is written by hand. Of its croissant.json, the fields in FIELDS are copied from the card by `make sync`; the rest (licence,
address, files, records) is written by hand too.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from puppetmaster_core.files import whole_file

CARDS = Path("data_cards")
SECTIONS = ("Origin", "Licence", "How to get it", "Contents", "What the paper used it for", "What this project uses it for",
            "Biases", "Limits", "Not verified", "Sources")
# Croissant's vocabulary for responsible AI: field → the card's sections it is copied from.
FIELDS = {"rai:dataCollection": ("Origin",), "rai:dataBiases": ("Biases",), "rai:dataLimitations": ("Limits",),
          "rai:dataUseCases": ("What the paper used it for", "What this project uses it for")}


def cards(root: Path) -> list[Path]:
    """Every card of the checkout, the list of them (data_cards/README.md) left out."""
    return sorted((root / CARDS).glob("*/README.md"))


def sections(card: str) -> dict[str, str]:
    """A card's sections in order, title → text."""
    pieces = re.split(r"^## (.+)\n", card, flags=re.M)
    return {title.strip(): text.strip() for title, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def plain(text: str) -> list[str]:
    """The paragraphs and list items of a section as lines of plain text; tables and code are left out."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).replace("**", "").replace("`", "")
    blocks = (" ".join(block.split()).removeprefix("- ") for block in re.split(r"\n\s*\n|\n(?=- )", text))
    return [block for block in blocks if block and not block.startswith("|")]


def with_prose(croissant: dict, card: str) -> dict:
    """The description of a set with FIELDS as the card has them now."""
    text = sections(card)
    prose = {field: [line for title in titles for line in plain(text.get(title, ""))] for field, titles in FIELDS.items()}
    prose["rai:dataCollection"] = " ".join(prose["rai:dataCollection"])  # the one field that holds a single text
    return croissant | prose


def problems(root: Path) -> list[str]:
    """What is missing from the cards, and where a croissant.json says something else than its card."""
    found = []
    listed = (root / CARDS / "README.md").read_text() if cards(root) else ""
    for card in cards(root):
        name, text = card.parent.name, card.read_text()
        missing = [title for title in SECTIONS if not sections(text).get(title)]
        if missing or list(sections(text)) != [title for title in SECTIONS if title in sections(text)]:
            found.append(f"data_cards/{name}/README.md: wanted the sections {', '.join(SECTIONS)}; empty or missing: {missing}")
        if not text.startswith("# "):
            found.append(f"data_cards/{name}/README.md: wanted a level-1 title in its first line")
        if f"({name}/README.md)" not in listed:
            found.append(f"data_cards/README.md does not list {name}")
        path = card.with_name("croissant.json")
        if not path.exists():
            found.append(f"data_cards/{name}/croissant.json is missing")
        elif (croissant := json.loads(path.read_text())) != with_prose(croissant, text):
            found.append(f"data_cards/{name}/croissant.json differs from its card: run `make sync`")
    return found


def sync(root: Path) -> list[Path]:
    """Copy FIELDS from each card into its croissant.json; returns what was written."""
    written = []
    for card in cards(root):
        path = card.with_name("croissant.json")
        if not path.exists():
            continue
        croissant = json.loads(path.read_text())
        wanted = json.dumps(with_prose(croissant, card.read_text()), indent=2, ensure_ascii=False) + "\n"
        if path.read_text() != wanted:
            with whole_file(path) as partial:
                partial.write_text(wanted)
            written.append(path)
    return written

"""Figures of the chapter on curation: the funnel, what the forest knows, and a card for each decision."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
from IPython.display import HTML
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib.figures import TEXT, done, plain
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.metrics import METRICS
from puppetmaster_core.curation.pictures import strip, to_png

STAYS, GOES = "#0072B2", "#E69F00"  # Okabe and Ito's blue and orange


def funnel_figure(funnel: Mapping[str, Mapping[str, int]]) -> Figure:
    """A bar for each stage of a run's report: what stays, and what is lost there and why."""
    figure, axis = plt.subplots(figsize=(9, 0.75 * len(funnel) + 0.6))
    most = max(max(counts["in"], 1) for counts in funnel.values())
    for row, counts in enumerate(funnel.values()):
        lost = {name: count for name, count in counts.items() if name not in ("in", "out") and count}
        axis.barh(row, counts["out"], color=STAYS, height=0.6)
        axis.barh(row, counts["in"] - counts["out"], left=counts["out"], color=GOES, height=0.6)
        said = f"{counts['in']} → {counts['out']}" + "".join(f", {name} {count}" for name, count in lost.items())
        axis.text(counts["in"] + 0.01 * most, row, said, va="center", fontsize=9, color=TEXT)
    axis.set_yticks(range(len(funnel)), list(funnel))
    axis.invert_yaxis()
    axis.set_xlim(0, 1.45 * most)
    plain(axis, "what goes in, what stays (blue), what is lost (orange)", "assets, then animations", "")
    return done(figure)


def paper_funnel_figure(published: Mapping[str, int] | None = None) -> Figure:
    """The paper's funnel (§4), in round numbers; beneath it, the lengths of its published id lists where they are given."""
    stages = {"animated in Objaverse": {"in": 40_000, "out": 16_000, "dropped": 24_000},
              "Objaverse-Animation": {"in": 16_000, "out": 10_000, "unrealistic": 6_000}}
    figure = funnel_figure({**stages, **{f"{name}, published ids": {"in": count, "out": count}
                                         for name, count in (published or {}).items()}})
    figure.axes[0].set_title("the paper's: what stays (blue), what is lost (orange)", fontsize=9, color=TEXT)
    figure.axes[0].set_xlabel("assets", fontsize=8, color=TEXT)
    return figure


def labels_line(about: Mapping) -> str:
    """Where a forest's labels come from, in a line."""
    return "labels from " + ", ".join(f"{source} ({sum(kinds.values())})" for source, kinds in about["labels"].items())


def forest_figure(forest: Forest) -> Figure:
    """Precision and recall, calibration, and the most important metrics, of objects not seen; and where labels come from."""
    about, (figure, axes) = forest.about, plt.subplots(1, 3, figsize=(11, 3.1), width_ratios=(1, 1, 1.1))
    curves = about["curves"]
    axes[0].plot(curves["recall"], curves["precision"], color=STAYS)
    axes[0].set(xlim=(0, 1.02), ylim=(0.4, 1.02))
    plain(axes[0], "keep: precision and recall", "good ones that are kept", "kept ones that are good")
    said, are, count = np.array(curves["reliability"]).T
    axes[1].plot([0, 1], [0, 1], color=TEXT, lw=0.8, ls=":")
    axes[1].scatter(said, are, s=8 + 60 * np.sqrt(count / count.max()), color=STAYS)
    plain(axes[1], "calibration (size: how many)", "probability said", "share that is good")
    names = list(about["importance"])[:8][::-1]
    axes[2].barh([name.replace("_", " ") for name in names], [about["importance"][name] for name in names], color=STAYS)
    axes[2].tick_params(labelsize=8)
    plain(axes[2], "importance in the trees", "", "")
    figure.supxlabel(labels_line(about), fontsize=8, color=TEXT)
    return done(figure)


def decision_card(row: Mapping, pictures: np.ndarray, forest: Forest) -> HTML:
    """One animation of a run's table: its four pictures (4, H, W, 3), what became of it, why, and its metrics."""
    shown = base64.b64encode(to_png(strip(pictures))).decode()
    why = "".join(f"<li>{escape(str(reason))}</li>" for reason in forest.why([[row[name] for name in METRICS]])[0])
    cells = "".join(f"<tr><td>{name.replace('_', ' ')}</td><td>{row[name]:.3g}</td></tr>" for name in METRICS)
    title = f"{row['asset']}, {row['name']!r}: {row['verdict']} (probability {row['probability']:.3f}, {row['stage']})"
    return HTML(f'<figure><img alt="four moments of {escape(row["asset"])}" src="data:image/png;base64,{shown}">'
                f"<figcaption><b>{escape(title)}</b><ul>{why}</ul></figcaption>"
                f"<details><summary>all metrics</summary><table>{cells}</table></details>"
                f"<small>{escape(labels_line(forest.about))}</small></figure>")


def transcript(folder: Path, most: int = 3) -> HTML:
    """What a run's judge was asked and what it answered: `most` strips, one of each kind of answer first.

    folder: of a run with a judge. Pictures, the answer as it came, what was made of it, tokens and tries.
    """
    answers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "answers").glob("*.json"))]
    kinds: dict[object, list[dict]] = {}
    for answer in sorted(answers, key=lambda one: one["strip"]):
        kinds.setdefault(answer.get("realistic"), []).append(answer)
    first = [own.pop(0) for own in kinds.values()]
    shown = [*first, *(answer for own in kinds.values() for answer in own)][:most]
    return HTML("".join(_exchange(folder, answer) for answer in shown))


def _exchange(folder: Path, answer: Mapping) -> str:
    picture = base64.b64encode((folder / "pictures" / answer["strip"]).read_bytes()).decode()
    made = answer.get("error") or f"{'realistic' if answer['realistic'] else 'not realistic'}: {answer['reason']}"
    used = f"{answer['tokens_in']} tokens in, {answer['tokens_out']} out, {answer['tries']} tries"
    return (f'<figure><img alt="four pictures shown to the judge" src="data:image/png;base64,{picture}"><figcaption>'
            f"<b>asked:</b> {escape(answer['prompt'])} with these four pictures<br>"
            f"<b>{escape(answer['model'])} said:</b> <code>{escape(answer.get('said', ''))}</code><br>"
            f"<b>taken as:</b> {escape(made)} ({used})</figcaption></figure>")

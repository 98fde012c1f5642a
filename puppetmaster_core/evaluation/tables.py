"""Tables of results as text and as Markdown. The paper's figures make a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from puppetmaster_core.evaluation import paper
from puppetmaster_core.evaluation.scores import METRICS

SHOWN = ("psnr", "ssim", "psnr_moving", "ssim_moving", "lpips", "st_lpips", "fvd_i3d", "fvd_videomae",
         "motion_error_origins", "motion_error_foreground", "motion_error_drags", "end_point_error", "wrong_direction",
         "unclear_direction", "flicker", "edge_energy")


def heading(name: str) -> str:
    """A column's heading: its label, its unit and which way is better."""
    metric = METRICS[name]
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.label}{unit} {'↑' if metric.better == 'higher' else '↓'}"


def cell(value: Mapping | float | None, name: str) -> str:
    """A figure of ours with its interval, or one of the paper's in the paper's digits."""
    if value is None:
        return "–"
    if not isinstance(value, Mapping):
        return f"{value:.{paper.DIGITS[name]}f}"
    digits = METRICS[name].digits
    return f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def grid(summary: Mapping[str, Mapping], columns: Sequence[str] = SHOWN) -> list[list[str]]:
    """The rows of a table, headings first; columns that no row has are left out."""
    columns = [name for name in columns if any(name in row for row in summary.values())]
    lines = [["", "clips", *map(heading, columns)]]
    for row, values in summary.items():
        lines.append([row, str(values.get("clips", "")), *(cell(values.get(name), name) for name in columns)])
    return lines


def text(summary: Mapping[str, Mapping], columns: Sequence[str] = SHOWN) -> str:
    """As text, one line a figure where a row would be too wide to read: metrics go down, rows go across."""
    turned = [list(line) for line in zip(*grid(summary, columns), strict=True)]
    widths = [max(len(line[k]) for line in turned) for k in range(len(turned[0]))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in turned)


def markdown(summary: Mapping[str, Mapping], columns: Sequence[str] = SHOWN) -> str:
    """As a Markdown table, one line a row."""
    head, *body = grid(summary, columns)
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *body))


def paper_table(suite: str) -> dict[str, dict]:
    """The paper's rows of Table 1 for a suite, {} where it has none; they have no intervals, and 100 clips."""
    table = paper.figures_of_table_1().get(suite, {})
    return {row: {"clips": 100, **values} for row, values in table.items()}

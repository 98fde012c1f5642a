"""Tables of results as text and as Markdown. The paper's figures make a table of their own."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from puppetmaster_core.evaluation import paper
from puppetmaster_core.evaluation.metrics import METRICS

SHOWN = ("psnr", "ssim", "psnr_moving", "ssim_moving", "lpips", "st_lpips", "fvd_i3d", "fvd_videomae",
         "motion_error_origins", "motion_error_foreground", "motion_error_drags", "end_point_error", "wrong_direction",
         "unclear_direction", "flicker", "edge_energy")
HEADS = {"whole": "whole frame", "moving": "moving region", "still": "still region", "off place": "off place [px at 64]",
         "edge energy": "edge energy"}  # of a row's scores in what `exact` finds


def cell(value: Mapping | None, digits: int = 2) -> str:
    """A mean with its interval."""
    return "–" if value is None else f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def grid(summary: Mapping[str, Mapping]) -> list[list[str]]:
    """The rows of Table 1, headings first: ours with intervals, the paper's in its own digits. Columns of no row are left out."""
    names = [name for name in SHOWN if any(name in row for row in summary.values())]
    about = [METRICS[name] for name in names]
    heads = [f"{one.heading} {'↑' if one.better == 'higher' else '↓'}" for one in about]

    def shown(name: str, value) -> str:
        return f"{value:.{paper.DIGITS[name]}f}" if isinstance(value, float) else cell(value, METRICS[name].digits)

    return [["", "clips", *heads], *([row, str(values.get("clips", "")), *(shown(name, values.get(name)) for name in names)]
                                     for row, values in summary.items())]


def _text(summary: Mapping[str, Mapping]) -> str:
    """As text: metrics go down, rows go across."""
    turned = list(zip(*grid(summary), strict=True))
    widths = [max(len(line[k]) for line in turned) for k in range(len(turned[0]))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in turned)


def markdown(lines: Iterable[Iterable[str]], left: Container[int] = (0,)) -> str:
    """Cells of a table, headings first, in Markdown; left: the columns that are flush left."""
    head, *rows = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    rule = ["---" if column in left else "--:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))


def paper_table(suite: str) -> dict[str, dict]:
    """The paper's rows of Table 1 for a suite, {} where it has none; they have no intervals, and 100 clips."""
    table = paper.figures_of_table_1().get(suite, {})
    return {row: {"clips": paper.CLIPS, **values} for row, values in table.items()}


def table_1_text(record: Mapping) -> str:
    """Our Table 1, what to know of it, and the paper's under it."""
    pictures = f"{record['frames']} frames of {record['size']} pixels"
    lines = [f"{record['suite']}: {record['clips']} clips, {pictures}, 95 % intervals over clips", _text(record["summary"])]
    if record["tracker"]:
        rough = ": for smoke tests, not to be compared with the paper" if record["rough_tracker"] else ""
        lines.append(f"tracks by {record['tracker']}{rough}")
    lines += [f"{row}: {note}" for row, note in record["notes"].items()]
    failed = [r for r in record["records"] if "failed" in r]
    if failed:
        first = failed[0]
        lines.append(f"{len(failed)} videos not scored, the first: {first['row']}, {first['clip']}: {first['failed']}")
    if printed := paper_table(record["suite"]):
        lines += ["", f"The paper's figures, of {paper.CLIPS} clips and by code that is not published:", _text(printed)]
    return "\n".join(lines)


def exact_text(summary: Mapping) -> str:
    """What `evaluate` found."""
    gains, groups, ceiling = summary["over static copy"], summary["groups"].items(), summary["rows"][-1]
    return "\n".join([
        f"{summary['clips']} unseen clips, {summary['parts']} dragged parts; PSNR in dB, frames 2 to N, 95 % intervals",
        f"{'':14}" + "".join(f"{head:>22}" for head in HEADS.values()),
        *(f"{row:14}" + "".join(f"{cell(summary[row][name]):>22}" for name in HEADS) for row in summary["rows"]),
        f"over the static copy: moving region {cell(gains['moving'])} dB, whole frame {cell(gains['whole'])} dB",
        f"right direction: {cell(summary['right direction'], 3)} of parts; travel {cell(summary['travel'])} of the true one",
        *(f"right direction, {row}: {cell(own, 3)}" for row, own in summary["right direction of"].items()),
        f"edge energy over that of {ceiling}: {cell(summary['edge energy over ceiling'])}",
        *([f"mask IoU of what moves: {cell(summary['mask IoU'])}"] if "mask IoU" in summary else []),
        *(f"{group:10} {own['clips']:4} clips: moving over the static copy {cell(own['over static copy']['moving'])} dB, "
          f"direction {cell(own['right direction'], 3)}, off place {cell(own['off place'])} px" for group, own in groups),
    ])

"""The paper's own figures, typed from its tables. They stand beside ours and never among them: other clips' number, other code.

The paper evaluates 100 clips of Drag-a-Move at 256×256; its evaluation code, tracker version and LPIPS network are not published.
"""

from __future__ import annotations

CLIPS = 100  # of Drag-a-Move
COLUMNS = ("psnr", "ssim", "lpips", "fvd_i3d", "motion_error_origins", "motion_error_foreground")

DIGITS = {"psnr": 2, "ssim": 3, "lpips": 3, "fvd_i3d": 2, "motion_error_origins": 2, "motion_error_foreground": 2}  # as printed

# Table 1. ME is printed as origins/foreground; not for Human3.6M.
TABLE_1 = {
    "Drag-a-Move": {
        "DragNUWA": (20.09, 0.874, 0.172, 281.49, 17.55, 15.41),
        "DragAnything": (16.71, 0.799, 0.296, 468.46, 16.09, 23.21),
        "Image Conductor": (9.20, 0.548, 0.585, 1138.89, 20.09, 27.51),
        "DragAPart, original": (23.41, 0.925, 0.085, 180.27, 14.17, 3.71),
        "DragAPart, re-trained": (23.78, 0.927, 0.082, 189.10, 14.34, 3.73),
        "Puppet-Master": (24.41, 0.927, 0.085, 246.99, 12.21, 3.53),
    },
    "Human3.6M": {
        "DragNUWA": (17.52, 0.878, 0.158, 466.91),
        "DragAnything": (13.29, 0.767, 0.305, 768.63),
        "Image Conductor": (8.02, 0.467, 0.628, 1957.33),
        "DragAPart, original": (15.14, 0.852, 0.197, 683.40),
        "DragAPart, re-trained": (15.25, 0.860, 0.188, 549.64),
        "Puppet-Master": (17.59, 0.872, 0.155, 454.76),
    },
}

# Table 2: ablations, each trained on Drag-a-Move alone for 30,000 steps at batch 8. %WD: percent of 100 videos, counted by hand.
TABLE_2_COLUMNS = ("psnr", "ssim", "lpips", "fvd_i3d", "motion_error_origins", "wrong_direction")
TABLE_2 = {
    "A: shift only, no end location": (13.23, 0.816, 0.446, 975.16, 15.6, 5),
    "B: shift and scale, no end location": (22.98, 0.917, 0.093, 223.20, 9.3, 4),
    "C: shift and scale, end location": (23.67, 0.926, 0.080, 205.40, 10.5, 4),
    "D: C and drag tokens": (24.00, 0.929, 0.069, 170.43, 9.8, 1),
    "no attention to the reference": (11.96, 0.771, 0.391, 823.00, 12.4, 3),
    "attention to a static reference video": (17.51, 0.874, 0.233, 483.18, 13.6, 8),
    "all-to-first attention": (23.67, 0.926, 0.080, 205.40, 10.5, 4),
}

# Table 3, App. B.2: training data, 7,000 iterations.
TABLE_3 = {  # psnr, ssim, lpips, fvd_i3d
    "without curation": (6.04, 0.411, 0.703, 1475.35),
    "with curation": (19.87, 0.884, 0.181, 624.47),
}

# What is gained by what, by id: where it stands, what it is, and the better and the worse row of the table.
COMPARISONS = {
    "table2.shift_and_scale": ("Table 2", "scale beside shift (A → B)", TABLE_2, 1, 0),
    "table2.end_location": ("Table 2", "the end location (B → C)", TABLE_2, 2, 1),
    "table2.drag_tokens": ("Table 2", "drag tokens (C → D)", TABLE_2, 3, 2),
    "table2.all_to_first": ("Table 2", "all-to-first attention over none", TABLE_2, 6, 4),
    "table2.static_reference": ("Table 2", "all-to-first over a static reference video", TABLE_2, 6, 5),
    "table3.curation": ("Table 3", "curating the training data", TABLE_3, 1, 0),
}


def gained(comparison: str, metric: str = "psnr") -> float:
    """By how much the better row of one of COMPARISONS has more than the worse, of one of TABLE_2_COLUMNS."""
    _, _, table, better, worse = COMPARISONS[comparison]
    rows, column = list(table.values()), TABLE_2_COLUMNS.index(metric)
    return round(rows[better][column] - rows[worse][column], 4)


def figures_of_table_1() -> dict[str, dict[str, dict[str, float]]]:
    """Table 1 as {suite: {row: {metric: figure}}}; what the paper does not print is not there."""
    return {suite: {row: dict(zip(COLUMNS, values, strict=False)) for row, values in rows.items()}
            for suite, rows in TABLE_1.items()}

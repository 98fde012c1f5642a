"""The figures of the chapter on inference show the numbers that they are given."""

import json

import numpy as np
import pytest

from lib import sampling_figures as figures


def row(name: str, seconds: float, psnr: float, direction: float, **how) -> dict:
    return {"name": name, "settings": how, "seconds": seconds, "calls": 20, "clips": 4, "parts": 5, "right direction": direction,
            "moving": {"mean": psnr, "low": psnr - 1, "high": psnr + 2}}


ROWS = [row("slow", 4.0, 12.5, 0.8, solver="euler"), row("fast", 0.5, 12.0, 0.6, solver="dpm++", interval=[1.0, 50.0])]


def test_every_row_stands_at_its_time_and_quality():
    left, right = figures.quality_against_time(ROWS, {"fast": "draft"}).axes
    places = [tuple(float(x[0]) for x in container[0].get_data()) for container in left.containers]
    assert places == [(4.0, 12.5), (0.5, 12.0)]
    bars = [segments.get_segments()[0][:, 1].tolist() for container in left.containers for segments in container[2]]
    assert bars == [[11.5, 14.5], [11.0, 14.0]]
    assert [tuple(float(x[0]) for x in line.get_data()) for line in right.lines] == [(4.0, 80.0), (0.5, 60.0)]
    assert [line.get_fillstyle() for line in right.lines] == ["full", "none"]
    assert [text.get_text() for text in left.texts] == [" 1", " 2 (draft)"]


def test_what_was_measured_is_read_with_its_origin(tmp_path):
    assert figures.measured(tmp_path / "rows.json") is None
    record = {"model": "tiny", "command": "puppetmaster solvers", "commit": "0123456789abcdef", "device": "cpu", "threads": 2,
              "seed": 0, "rows": ROWS}
    (tmp_path / "rows.json").write_text(json.dumps(record))
    rows, origin = figures.measured(tmp_path / "rows.json")
    assert rows == ROWS and origin == "puppetmaster solvers: 4 unseen clips, cpu, 2 threads, commit 01234567"


def test_schedules_leave_out_the_zero_and_show_the_interval():
    left, right = figures.schedules({"a": [700.0, 1.0, 0.0], "b": [700.0, 0.1]}, (0.2, 20.0)).axes
    assert [line.get_ydata().tolist() for line in left.lines] == [[700.0, 1.0], [700.0, 0.1]]
    assert right.patches[0].get_x() == pytest.approx(0.2)


def test_weights_are_drawn_frame_by_frame():
    (axis,) = figures.guidance_weights({"1 to 4": np.linspace(1, 4, 14)}).axes
    assert axis.lines[0].get_xdata().tolist() == list(range(1, 15)) and axis.lines[0].get_ydata()[-1] == 4

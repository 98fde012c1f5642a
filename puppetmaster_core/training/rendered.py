"""Clips to train on where none are given: half of them cabinets, half of the whole library, rendered as shards on first use."""

from __future__ import annotations

from tqdm import tqdm

from puppetmaster_core.clips import rendering
from puppetmaster_core.clips.sources import WATCH_SEEDS, find_source
from puppetmaster_core.clips.studio import Filming
from puppetmaster_core.training.plan import Plan
from puppetmaster_core.training.settings import TrainingError


def render_clips(plan: Plan, count: int | None) -> list[str]:
    """Folders of `count` clips in the run's folder; None: the recipe's number. What is there already is kept.

    Raises TrainingError where the scale has no such number, or the clips would be those that are kept for judging.
    """
    preset = plan.preset
    if "clips" not in plan.recipe:
        raise TrainingError(f"the scale {preset.name!r} came without clips: render some at {preset.size} pixels with "
                            "`puppetmaster render`, and name their folder")
    count, folders = count or plan.recipe["clips"], []
    if count > WATCH_SEEDS:
        raise TrainingError(f"clips={count} given, but seeds from {WATCH_SEEDS} on are kept for judging: ask for fewer")
    for source, assets in (("library", count - count // 2), ("cabinets", count // 2)):
        if assets:
            folders.append(str(plan.folder / "clips" / source))
            _render(plan, source, assets)
    return folders


def _render(plan: Plan, source: str, assets: int) -> None:
    clips = rendering.RenderPlan(find_source(source, assets), Filming(size=plan.preset.size, frames=plan.preset.frames))
    made = rendering.render_clips(plan.folder / "clips" / source, clips)
    for _ in tqdm(made, total=assets, desc=f"rendering {source}", mininterval=5):
        pass

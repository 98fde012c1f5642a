"""Train a scale: what makes its latents, then the denoiser; mini and tiny from nothing, svd from SVD's weights.

Without --data, clips of procedural cabinets and of the whole library are rendered, half of each. With --data, those that
`puppetmaster render` made are read. They are drawn in the balanced mixture of App. C.1. Everything goes into the run folder;
a run that was stopped, or killed, goes on where it was when started again, to the same weights. Several processes share each
update's clips: start them with torchrun.

examples:
  puppetmaster train --scale tiny --output runs/tiny
  puppetmaster render library --count 8000 --output clips/library
  puppetmaster train --scale tiny --data clips/library --output runs/library --max-seconds 500 --export build/tiny
  puppetmaster train --scale tiny --weights tiny --data my_clips --output runs/mine
  torchrun --nproc_per_node 4 -m puppetmaster_core train --scale svd --shard --weights svd --data clips/256 --output runs/svd
  tensorboard --logdir runs/tiny
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, check_folder, number, whole
from puppetmaster_core.presets import PRESETS, STAGES, SVD

HELP = "train a model"
SCALES = {name: preset for name, preset in {**PRESETS, "svd": SVD}.items() if preset.training}
SETTINGS = ("steps", "batch_size", "accumulate", "shard", "seed", "mixed_precision", "compile", "checkpoint_every",
            "wandb")  # all others: --config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--scale", choices=SCALES, default="tiny", help="what to train (default: tiny)")
    add("--output", type=Path, required=True, metavar="RUN", help="the run folder")
    add("--data", action="append", default=[], metavar="CLIPS",
        help="a folder of clips at the scale's size; again for more folders (default: rendered)")
    add("--untextured", action="store_true", help="with --data: also clips whose assets lost a texture")
    add("--clips", type=whole(1, 900_000), help="without --data: how many to render and train on (the scale's)")
    add("--weights", metavar="MODEL", help="what to begin with: for svd a folder in diffusers' layout, or OWNER/NAME; for "
        "another scale a model of it: a VAE stays, the parts of motion latents go on (default: nothing)")
    add("--config", type=Path, metavar="FILE.toml", help="settings instead of the scale's, in tables named as stages, and recipe")
    add("--stage", choices=("all", *STAGES), default="all",
        help="one of those that the scale has (default: all)")
    add("--steps", type=whole(1, 10**8), help="steps of each stage (default: the scale's)")
    add("--batch-size", type=whole(1, 4096), help="clips a step, of all processes (default: the scale's)")
    add("--accumulate", type=whole(1, 4096), help="rounds for a step's clips (default: the scale's)")
    add("--shard", action="store_true", default=None,
        help="share the denoiser's weights and what goes with them out over the processes (FSDP): for svd")
    add("--seed", type=whole(0, 2**31 - 1), help="another seed, another model (default: 0)")
    add("--max-seconds", type=number(1, 1e7), help="stop cleanly after this long, all stages together")
    add("--mixed-precision", choices=("no", "bf16"),
        help="bf16 pays on GPUs, and on CPUs that multiply it in hardware (default: no)")
    add("--compile", action="store_true", default=None, help="compile first: slow to start, then faster")
    add("--checkpoint-every", type=whole(1, 10**8), help="steps between checkpoints (default: the scale's)")
    add("--wandb", metavar="PROJECT", help="also log to Weights & Biases (pip install wandb)")
    add("--export", type=Path, metavar="DIR", help="then write the EMA weights there in fp16, with the log")


def run(arguments: argparse.Namespace) -> dict | None:
    output, target = arguments.output, arguments.export
    config = _config(arguments.config)
    check_folder(output, "a run folder")
    if target and target.is_dir() and any(target.iterdir()) and not (target / "model_index.json").is_file():
        raise BadInput(f"{target}: something else is there, expected a new folder or one with a model: choose another name")
    output.mkdir(parents=True, exist_ok=True)

    from puppetmaster_core.training.distributed import this_process
    from puppetmaster_core.training.run import train

    stages = STAGES if arguments.stage == "all" else (arguments.stage,)
    done = train(SCALES[arguments.scale], output, stages=stages, clips=arguments.clips, data=arguments.data,
                 weights=arguments.weights, config=config, max_seconds=arguments.max_seconds, untextured=arguments.untextured,
                 **{name: getattr(arguments, name) for name in SETTINGS})
    pipeline = output / "pipeline"
    if not this_process().is_main_process:
        return None
    if target and pipeline.is_dir():
        from puppetmaster_core.training.export import export

        export(output, target)
    return {"done": done, "pipeline": str(pipeline) if pipeline.is_dir() else None,
            "next": "nothing" if done else "time is up, the same command goes on"}


def _config(path: Path | None) -> dict:
    """The tables of a TOML file."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}), expected TOML with a table for each stage, and recipe") from None

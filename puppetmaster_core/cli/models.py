"""The model of a command, and what goes wrong with it or with what it is given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from puppetmaster_core.cli.arguments import BadInput

if TYPE_CHECKING:
    from puppetmaster_core.pipeline import PuppetMasterPipeline


def load(model: str) -> PuppetMasterPipeline:
    """The pipeline; on the GPU where there is one, with the network in bfloat16 and pictures in float32. Raises ModelError."""
    import torch

    from puppetmaster_core.pipeline import PuppetMasterPipeline

    pipeline = PuppetMasterPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(desc="sampling", file=sys.stderr, leave=False)
    if torch.cuda.is_available():
        pipeline.to("cuda")
        pipeline.unet.to(torch.bfloat16)
    return pipeline


@contextmanager
def bad_input() -> Iterator[None]:
    """The errors that bad pictures, drags, models and outputs raise, as BadInput; mistakes of ours stay what they are."""
    try:
        yield
    except FloatingPointError as error:  # weights that make numbers that are none
        raise BadInput(str(error)) from error
    except ValueError as error:
        from puppetmaster_core.checkpoints import ModelError
        from puppetmaster_core.drags import DragError
        from puppetmaster_core.pictures import PictureError
        from puppetmaster_core.video import OutputError

        if isinstance(error, DragError | ModelError | OutputError | PictureError):
            raise BadInput(str(error)) from error
        raise

"""A motion-latent model for a page without a kernel: its networks as tapes, and their weights, in one script.

Letters: N frames, K drags, S = 64 pixels a side that the network sees, W = S·2^k of the picture.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from page_model.tape import Tape, record
from puppetmaster_core.diffusion import denoise
from puppetmaster_core.editor.bundle import script
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents.field import CHANNELS, GRID
from puppetmaster_core.latents.mirrored import TwoLooks
from puppetmaster_core.latents.motion import Dragged, MotionCodec
from puppetmaster_core.latents.painter import GIVEN, PAINT
from puppetmaster_core.latents.parts import SIDE, Look
from puppetmaster_core.pictures import clip_pixels

JS = Path(__file__).with_name("js")
SMALL = 2048  # numbers up to which a weight stays in full precision
LIVE = 2  # frames while a hand moves: the first, and the one under the pointer


class PageModelError(ValueError):
    """A model that a page cannot run."""


def networks(pipeline, frames: tuple[int, ...]) -> Iterator[tuple[str, Tape]]:
    """The tapes that js/engine.js plays, by name. frames: numbers of frames to be able to make."""
    codec, unet = pipeline.vae, pipeline.unet
    most = unet.config.max_drags
    picture = torch.linspace(-1, 1, 3 * SIDE**2).view(1, 3, SIDE, SIDE)

    def look(seen: Tensor, clip: Tensor):
        looks = TwoLooks.at(codec.parts, seen)
        embedding = pipeline.image_encoder(clip).image_embeds[:, None]
        return *looks.levels, looks.both.fine, looks.both.about, embedding

    def parts(deep, c4, c2, full, fine, about, points):
        looks = TwoLooks(Look(deep, fine, about), (deep, c4, c2, full))
        masks = looks.masks(codec.parts, points)
        return masks, looks.codes(codec.parts, masks, points)

    def given(deep, about, masks, codes, drags):
        dragged = codec.dragged(TwoLooks(Look(deep, deep, about), ()).own, masks, codes, drags)
        return dragged.given, dragged.guessed

    def clean(x, sigma, given, embedding, points, present, numbers):
        conditioning = unet.condition(points, present > 0, (GRID, GRID), numbers)
        ids = pipeline.time_ids()

        def network(scaled, c_noise):
            return unet(torch.cat([scaled, given], 2), c_noise, embedding, ids, conditioning, return_dict=False)[0]

        return [denoise(network, x, sigma)]

    def motion(x, masks, guessed, drags):
        (moving,) = codec.motion(x, Dragged(masks, drags, guessed, given=x))
        return moving.masks, moving.fields

    tape, seen = record(look, picture, clip_pixels(picture, pipeline.image_encoder.config.image_size))
    yield "look", tape
    *features, embedding = seen
    deep, about = features[0], features[-1]
    points = torch.rand(1, most, max(frames), 2, generator=torch.Generator().manual_seed(0))
    tape, (shown, codes) = record(parts, *features, points[:, :, 0])
    yield "parts", tape
    for n in frames:
        tape, (told, guessed) = record(given, deep, about, shown, codes, points[:, :, :n])
        yield f"given{n}", tape
        x = torch.zeros(1, n, CHANNELS, GRID, GRID)
        yield f"clean{n}", record(clean, x, torch.ones(1), told, embedding, points[:, :, :n], torch.ones(1, most),
                                  torch.arange(n))[0]
        yield f"motion{n}", record(motion, x, shown, guessed, points[:, :, :n])[0]
    yield "paint", record(lambda one: [codec.painter.coarsest(one)], torch.zeros(1, GIVEN, SIDE, SIDE))[0]
    for side in (2 * SIDE, 4 * SIDE):
        yield f"paint{side}", record(lambda one, coarse: [codec.painter.finer(one, coarse)], torch.zeros(1, GIVEN, side, side),
                                     torch.zeros(1, PAINT, side // 2, side // 2))[0]


def pack_model(pipeline, kind: str = "i1", small_kind: str = "f2") -> dict:
    """All that a page needs of a pipeline: {"tapes", "weights", "settings", "bytes" (base64 of zlib's)}.

    kind: how the U-Net's weights are kept, and those of the painter's smallest grid and of the way up from it: "f4" (float32),
    "f2" (float16) or "i1" (int8 with a scale a row); small_kind: those of the U-Net's first and last convolution and its last
    block, which int8 would cost most, the rest of the codec's and the image encoder's. Raises PageModelError.
    """
    if not isinstance(pipeline.vae, MotionCodec):
        raise PageModelError(f"got a model of {type(pipeline.vae).__name__}, expected one of motion latents, as tiny is")
    frames = pipeline.config.frames
    whole = ("conv_in", "conv_out", f"up_blocks.{len(pipeline.unet.up_blocks) - 1}.")
    own = {tensor.untyped_storage().data_ptr() for tensor in [
        *(tensor for name, tensor in pipeline.unet.named_parameters() if not name.startswith(whole)),
        *pipeline.vae.painter.levels[-1].parameters(), *pipeline.vae.painter.middle.parameters(),
        *pipeline.vae.painter.ups[0].parameters()]}
    file, weights, numbers, tapes = io.BytesIO(), [], {}, {}
    alive = []  # constants that are told apart by where they lie in memory
    for name, tape in networks(pipeline, (LIVE, frames)):
        alive.append(tape)
        constants = []
        for tensor in tape.constants:
            place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
            if place not in numbers:
                numbers[place] = len(weights)
                chosen = kind if tensor.untyped_storage().data_ptr() in own else small_kind
                weights.append(_write(file, tensor.detach().float(), chosen))
            constants.append(numbers[place])
        tapes[name] = {"inputs": tape.inputs, "outputs": tape.outputs, "steps": tape.steps, "constants": constants,
                       "shapes": [tape.shapes[n] for n in range(len(tape.shapes))]}
    scheduler = pipeline.sampling().scheduler(pipeline.scheduler)
    settings = {"frames": frames, "max_drags": pipeline.unet.config.max_drags, "channels": CHANNELS, "grid": GRID,
                "sigmas": scheduler.sigmas.tolist(), "start": float(scheduler.init_noise_sigma),
                "clip": pipeline.image_encoder.config.image_size}
    packed = base64.b64encode(zlib.compress(file.getvalue(), 9)).decode()
    return {"tapes": tapes, "weights": weights, "settings": settings, "bytes": packed}


def _write(file: io.BytesIO, tensor: Tensor, kind: str) -> dict:
    """Append a tensor to the file; what js/tape.js is told of it. Vectors and small ones stay in full precision."""
    file.write(b"\0" * (-file.tell() % 4))
    array = np.ascontiguousarray(tensor.numpy())
    about = {"kind": kind, "at": file.tell(), "shape": list(array.shape)}
    if array.size <= SMALL or array.ndim < 2 or kind == "f4":
        file.write(array.astype("<f4").tobytes())
        return about | {"kind": "f4"}
    if kind == "f2":
        file.write(array.astype("<f2").tobytes())
        return about
    axis = 0 if array.ndim > 2 else 1  # of what comes out: convolutions (O, I, …), matrices (I, O)
    scale = np.abs(array).max(axis=tuple(d for d in range(array.ndim) if d != axis), keepdims=True) / 127
    scale[scale == 0] = 1
    file.write(scale.astype("<f4").tobytes() + np.rint(array / scale).astype(np.int8).tobytes())
    return about | {"axis": axis}


def write_script(pipeline, path: str | Path, **kinds) -> Path:
    """One script for <script src>: `globalThis.puppetmaster`, a model and the engine that runs it. Raises PageModelError."""
    model = pack_model(pipeline, **kinds) | {"engine": script("worker", JS)}
    with whole_file(Path(path)) as partial:
        partial.write_text(f"globalThis.puppetmaster = {json.dumps(model, separators=(',', ':'))};\n", encoding="utf-8")
    return Path(path)


def page_script() -> str:
    """What stands before widgets.js where a page has the model: its editors ask the model, from a file beside this script."""
    return f"(() => {{\n{script('page', JS)}}})();\n"

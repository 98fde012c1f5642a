"""A picture and drags in, a video out (App. C.2): a diffusers pipeline around the drag network.

Letters: B videos, N frames, C latent channels, (h, w) latent grid, D width of the CLIP embedding, S side of the square
picture that the model sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder, DiffusionPipeline
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from puppetmaster_core import checkpoints
from puppetmaster_core.assembly import check_modules, check_precision, make_modules, pipeline_settings, read_pipeline
from puppetmaster_core.checkpoints import ModelError
from puppetmaster_core.diffusion import MAX_GUIDANCE, draw_noise, frame_guidance
from puppetmaster_core.drags import Drags
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.pictures import LatentSpace
from puppetmaster_core.latents.protocol import Latents, MotionLatents, PictureLatents, Seen
from puppetmaster_core.model import DragConditioning, DragUNet
from puppetmaster_core.model.speed import compile_network
from puppetmaster_core.pictures import Placement, clip_pixels, open_picture, to_frames, to_tensor
from puppetmaster_core.presets import QUALITIES, Preset
from puppetmaster_core.sampling import Guidance, Sampling, Scheduler, one_each, sample
from puppetmaster_core.video import Video


def build(preset: Preset, seed: int = 0, **given) -> PuppetMasterPipeline:
    """A pipeline as a preset describes it, with random weights drawn from `seed`.

    given: modules or settings (arguments of PuppetMasterPipeline) to take instead.
    """
    return PuppetMasterPipeline(**pipeline_settings(preset) | make_modules(preset, seed, given) | given)


class PuppetMasterPipeline(DiffusionPipeline):
    """image + drags → `Video`. Beside the four modules there are plain values only, kept in model_index.json.

    size: S. frames: N. latent_scale, residual, anchor: the `LatentSpace`. steps, min_guidance, max_guidance: sampling
    defaults; qualities: other settings of `Sampling` by name (None: `QUALITIES`). null_picture: whether guidance's videos
    without drags are told of the picture; the released code blanks it, a null it never trained. fps, motion_bucket,
    noise_augmentation: SVD's conditions, the same for every video.
    """

    model_cpu_offload_seq = "image_encoder->unet->vae"

    def __init__(
        self,
        vae: AutoencoderKLTemporalDecoder | MotionCodec,
        image_encoder: CLIPVisionModelWithProjection,
        unet: DragUNet,
        scheduler: Scheduler,
        size: int = 256,
        frames: int = 14,
        latent_scale: float = 0.18215,
        residual: bool = False,
        anchor: float = 0.0,
        steps: int = 50,
        min_guidance: float = 1.0,
        max_guidance: float = MAX_GUIDANCE,
        qualities: dict | None = None,
        null_picture: bool = True,
        fps: float = 7.0,
        motion_bucket: float = 127.0,
        noise_augmentation: float = 0.0,
    ):
        settings = {name: value for name, value in locals().items() if name in checkpoints.PLAIN}
        super().__init__()
        checkpoints.check_settings(settings)
        check_modules(vae, image_encoder, unet, size)
        self.register_modules(vae=vae, image_encoder=image_encoder, unet=unet, scheduler=scheduler)
        self.register_to_config(**settings)
        for quality in (None, *(qualities or ())):
            self.sampling(quality)  # what cannot be is refused here

    @classmethod
    def from_pretrained(cls, name_or_path, **options) -> PuppetMasterPipeline:
        """A shipped model ("tiny"), a folder, or a hub id OWNER/NAME (downloaded).

        "svd", or any folder or hub id with Stable Video Diffusion in diffusers' layout, becomes a drag model: the U-Net gets
        new drag layers (`DragUNet.from_svd`), or is the authors' where `unet` is their checkpoint's file. options: modules and
        settings of the constructor to take instead; variant="fp16" takes the smaller files where a module has them; dtype,
        float32 unless given; those of diffusers for the hub. Weights load from safetensors only. Raises ModelError.
        """
        if options.setdefault("use_safetensors", True) is not True:
            raise ModelError("got use_safetensors=False, but pickled weights can run code: leave it out")
        folder = checkpoints.fetch_model(name_or_path, partial(cls.download, **options))
        with checkpoints.loading(folder):
            return cls(**read_pipeline(folder, options))

    def save_pretrained(self, save_directory, **options) -> None:
        """Save to a folder in diffusers' layout: variant ("fp16"), and parts of at most max_shard_size ("16MB").

        The folder appears whole or not at all; a model that is there already is replaced. Raises ModelError where the
        folder holds something else.
        """
        if options.get("safe_serialization", True) is not True:
            raise ModelError("got safe_serialization=False, but weights are saved as safetensors only: leave it out")
        with checkpoints.quiet(), checkpoints.new_folder(Path(save_directory)) as folder:
            super().save_pretrained(folder, **options)

    @torch.no_grad()
    def __call__(
        self,
        image,
        drags: Drags | Sequence[Drags | None] | None = None,
        *,
        quality: str | None = None,
        steps: int | None = None,
        min_guidance: float | None = None,
        max_guidance: float | None = None,
        interval: tuple[float, float] | None = None,
        solver: str | None = None,
        seed: int | Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        output_type: str = "video",
        callback_on_step_end: Callable | None = None,
    ) -> Video | list[Video] | Tensor:
        """Animate a picture.

        image: whatever `open_picture` takes, of any size: white is added to make it square. drags: on the picture as
        it came, upright, brought to N frames; None: the model moves what it likes. A list of drags, a list of seeds, or
        lists of equal length of both make as many videos of the one picture, and a list of videos comes back.
        quality: "draft", "good" or "paper", a set of what follows that was measured (`config.qualities`). steps,
        min_guidance, max_guidance, interval, solver: instead of what the quality or the model says. Guidance grows over the
        frames; a maximum of 1 spares the second half of the work, and so do noise levels σ outside of interval (low, high).
        solver: "euler", "dpm++", "ays", or None for `self.scheduler`.
        seed: gives the same noise on every device. generator: is drawn from instead, video by video.
        output_type: "video"; "pt", pictures of the padded square (B, N, 3, S, S) in [0, 1]; "latent", z (B, N, C, h, w) of
        picture latents; or "motion", how parts move (a list of B `PartMotion`) of motion latents. callback_on_step_end:
        diffusers', given "latents".

        Raises PictureError, DragError, ValueError for settings, FloatingPointError when the network overflows.
        """
        check_precision(self.unet, self._execution_device)
        how = self.sampling(quality, solver=solver, steps=steps, min_guidance=min_guidance, max_guidance=max_guidance,
                            interval=interval)
        weight = frame_guidance(self.config.frames, how.min_guidance, how.max_guidance)
        scheduler = how.scheduler(self.scheduler, self._execution_device)
        sets, generators = one_each(drags, seed, generator)
        kinds = ("video", "pt", "motion" if isinstance(self.vae, MotionCodec) else "latent")
        if output_type not in kinds:
            raise ValueError(f"got output_type={output_type!r}, expected {', '.join(kinds)}")
        picture = open_picture(image)
        latents = self.latents
        placement = Placement.of(picture.size, latents.side(picture.size))
        sets = [d and d.resample(self.config.frames) for d in sets]
        on_square = [d and placement.drags_in(d) for d in sets]

        first = to_tensor(np.asarray(placement.pad(picture)))[None].to(self._execution_device)
        seen = latents.look(first, *self.drag_tensors(on_square), generators)
        embedding = self.embed(first).expand(len(sets), -1, -1)
        conditioning = self.condition(on_square, seen.shape[1:])
        guidance = None
        if any(sets) and how.max_guidance != 1:
            blank = not self.config.null_picture
            null = self.unet.null_conditioning(len(sets), self.config.frames, seen.shape[1:], blank)
            guidance = Guidance(weight, null, how.interval, blank, seen.null)
        noise = draw_noise((self.config.frames, *seen.shape), generators).to(first.device)
        call = callback_on_step_end  # with diffusers' signature; what it answers may replace the latents
        on_step = call and (lambda step, timestep, x: call(self, step, timestep, {"latents": x}).get("latents", x))
        x = sample(self.unet, scheduler, noise, seen.given, embedding, self.time_ids(), conditioning, guidance, self.progress_bar,
                   on_step)
        finished = latents.finish(x, seen)
        pictures = self.decode(finished, seen) if output_type in ("video", "pt") else None
        self.maybe_free_model_hooks()
        if pictures is None:
            return finished
        if output_type == "pt":
            return pictures / 2 + 0.5
        frames = to_frames(pictures)  # (B, N, S, S, 3)
        videos = [Video(placement.cut(f), self.config.fps, d) for f, d in zip(frames, sets, strict=True)]
        return videos if isinstance(drags, Sequence) or isinstance(seed, Sequence) else videos[0]

    @property
    def latents(self) -> Latents:
        """What is diffused: motion where the autoencoder is a `MotionCodec`, else pictures."""
        if isinstance(self.vae, MotionCodec):
            return MotionLatents(self.vae)
        return PictureLatents(self.vae, self.latent_space, self.config.size, self.config.noise_augmentation)

    @property
    def latent_space(self) -> LatentSpace:
        return LatentSpace(self.config.latent_scale, self.config.residual, self.config.anchor)

    def embed(self, first: Tensor) -> Tensor:
        """What the network is told of the picture beside its latents, §3.1: the CLIP embedding (1, 1, D).

        first: (1, 3, S, S) in [−1, 1].
        """
        clip_input = clip_pixels(first, self.image_encoder.config.image_size).to(self.image_encoder.dtype)
        return self.image_encoder(clip_input).image_embeds[:, None]

    def drag_tensors(self, drags: Sequence[Drags | None]) -> tuple[Tensor, Tensor]:
        """Points (B, K_max, N, 2) and present (B, K_max) of B videos, from drags on the square, None for a video without."""
        most = self.unet.config.max_drags
        absent = torch.zeros(most, self.config.frames, 2), torch.zeros(most, dtype=torch.bool)
        points, present = zip(*(d.tensors(most) if d else absent for d in drags), strict=True)
        return torch.stack(points), torch.stack(present)

    def condition(self, drags: Sequence[Drags | None], size: Sequence[int]) -> DragConditioning:
        """The conditioning of B videos, once: nothing of it depends on the noise level.

        drags: on the square, None for a video without. size: (h, w). Raises DragError for more than the network takes.
        """
        if not any(drags):
            return self.unet.null_conditioning(len(drags), self.config.frames, tuple(size))
        points, present = (one.to(self._execution_device) for one in self.drag_tensors(drags))
        return self.unet.condition(points, present, tuple(size))

    def time_ids(self) -> Tensor:
        """SVD's conditions beside the picture, (1, 3): its network was trained on the frame rate less one."""
        return torch.tensor([[self.config.fps - 1, self.config.motion_bucket, self.config.noise_augmentation]])

    def decode(self, finished, seen: Seen) -> Tensor:
        """Pictures (B, N, 3, S, S) in [−1, 1] of what the latents finished."""
        pictures = self.latents.decode(finished, seen)
        if not pictures.isfinite().all():
            raise FloatingPointError(f"got numbers that are not finite out of the model in {self.unet.dtype}, expected a video: "
                                     "the weights are damaged or in too low a precision, get them again or load them in float32")
        return pictures.float().clamp(-1, 1)

    def sampling(self, quality: str | None = None, **given) -> Sampling:
        """How a call would sample: the model's own settings, then those of `quality`, then given. Raises ValueError."""
        own = Sampling(None, self.config.steps, self.config.min_guidance, self.config.max_guidance)
        return Sampling.choose(own, quality, self.config.qualities or QUALITIES, **given)

    def compile(self, backend: str = "inductor") -> str | None:
        """Compile the U-Net, for many videos of one shape: None, or why that cannot be done here; then all stays as it was."""
        return compile_network(self.unet, backend)

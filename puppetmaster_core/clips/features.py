"""What a model sees of every clip, computed once: the VAE's latents of its frames and the image embedding of frame 1.

They lie beside the shards, features/MODEL/shard-000000.safetensors, in the order of the shard's index; MODEL is a digest of the
weights, so that another model makes another folder. Letters: n clips, N frames, C channels, (h, w) latent grid, D width.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm import tqdm
from transformers import CLIPVisionModelWithProjection

from puppetmaster_core.clips.records import ClipError
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents import downscale, encode
from puppetmaster_core.pictures import clip_pixels, to_tensor


def model_digest(vae: AutoencoderKLTemporalDecoder, image_encoder: CLIPVisionModelWithProjection) -> str:
    """Twelve letters for the weights that make features: of the VAE's encoder and the image encoder."""
    digest = hashlib.sha256()
    parts = {"vae": vae.encoder, "quant": vae.quant_conv, "image": image_encoder}
    for name, module in parts.items():
        for key, value in sorted(module.state_dict().items()):
            digest.update(f"{name}.{key}".encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


@torch.no_grad()
def cache_features(folder: str | os.PathLike, vae: AutoencoderKLTemporalDecoder, image_encoder: CLIPVisionModelWithProjection,
                   batch: int = 4) -> Path:
    """Encode all clips of `folder`; the features' folder. Shards that are encoded already are kept.

    Each file holds latents (n, N, C, h, w) float16 as they leave the encoder, embeddings (n, D) float16, and the clips'
    keys. Raises ClipError where clips cannot be encoded by this model.
    """
    store = ClipStore(folder)
    wrong = sorted({size for size in store.column("size") if size % downscale(vae)})
    if wrong:
        raise ClipError(f"{folder}: clips of {wrong[0]} pixels came, this model's VAE wants multiples of {downscale(vae)}")
    target = Path(folder, "features", model_digest(vae, image_encoder))
    target.mkdir(parents=True, exist_ok=True)
    shards, keys = np.array(store.column("shard")), store.column("key")
    with tqdm(total=len(store), desc="encoding", mininterval=1) as bar:
        for shard in dict.fromkeys(shards):
            numbers, path = np.flatnonzero(shards == shard), target / Path(shard).with_suffix(".safetensors").name
            own = "\n".join(keys[i] for i in numbers)
            if _keys(path) != own:
                batches = np.split(numbers, range(batch, len(numbers), batch))
                pairs = [_encode(store, some, vae, image_encoder) for some in batches]
                latents, embeddings = (torch.cat(parts) for parts in zip(*pairs, strict=True))
                with whole_file(path) as partial:
                    save_file({"latents": latents, "embeddings": embeddings}, partial, metadata={"keys": own})
            bar.update(len(numbers))
    return target


def _encode(store: ClipStore, numbers, vae, image_encoder) -> tuple[torch.Tensor, torch.Tensor]:
    pictures = to_tensor(np.stack([store.frames(int(i)) for i in numbers])).to(vae.device, vae.dtype)  # (n, N, 3, H, W)
    latents = encode(vae, pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])
    first = clip_pixels(pictures[:, 0], image_encoder.config.image_size).to(image_encoder.device, image_encoder.dtype)
    return latents.half().cpu(), image_encoder(first).image_embeds.half().cpu()


def _keys(path: Path) -> str | None:
    try:
        with safe_open(path, "pt") as stored:
            return stored.metadata()["keys"]
    except (OSError, SafetensorError, KeyError, TypeError):
        return None


class Features:
    """The cached features of a folder of clips, by clip number."""

    def __init__(self, folder: str | os.PathLike, features: str | os.PathLike):
        index = ClipStore(folder).index
        self.folder, self._shard = Path(features), index.column("shard").to_pylist()
        first = {}
        self._row = [i - first.setdefault(shard, i) for i, shard in enumerate(self._shard)]

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """latents (N, C, h, w) and embedding (D,) of clip `number`, float16; only its part of the file is read."""
        path = self.folder / Path(self._shard[number]).with_suffix(".safetensors").name
        try:
            with safe_open(path, "pt") as stored:
                row = self._row[number]
                return stored.get_slice("latents")[row], stored.get_slice("embeddings")[row]
        except (OSError, SafetensorError) as error:
            raise ClipError(f"{path}: cannot be read ({error}), wanted features: cache them again") from None

"""What a model sees of every clip, computed once: the VAE's latents of its frames and the image embedding of frame 1.

They lie beside the shards, features/MODEL/shard-000000.safetensors, in the order of the shard's index; MODEL is a digest of the
weights, so that another model makes another folder. A clip that cannot be read keeps its row, of NaN, and its key there is empty.
Letters: n clips, N frames, C channels, (h, w) latent grid, D width.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import time
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
from puppetmaster_core.latents.pictures import encode
from puppetmaster_core.pictures import clip_pixels, to_tensor
from puppetmaster_core.presets import cell_size


def model_digest(vae: AutoencoderKLTemporalDecoder, image_encoder: CLIPVisionModelWithProjection | None = None) -> str:
    """Twelve letters for the weights that make features: of the VAE's encoder and the image encoder."""
    digest = hashlib.sha256()
    parts = {"vae": vae.encoder, "quant": vae.quant_conv} | ({"image": image_encoder} if image_encoder else {})
    for name, module in parts.items():
        for key, value in sorted(module.state_dict().items()):
            digest.update(f"{name}.{key}".encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


@torch.no_grad()
def cache_features(folder: str | os.PathLike, vae: AutoencoderKLTemporalDecoder,
                   image_encoder: CLIPVisionModelWithProjection | None = None, batch: int = 4, until: float = math.inf
                   ) -> Path | None:
    """Encode all clips of `folder`; the features' folder. Shards that are encoded already are kept; a clip that cannot be read
    is left out, and a line says why.

    Each file holds latents (n, N, C, h, w) float16 as they leave the encoder, embeddings (n, D) float16 (D = 0 without an image
    encoder), and the clips' keys. until: of `time.monotonic`; None is returned where that came before the last shard. Raises
    ClipError where clips cannot be encoded by this model.
    """
    store = ClipStore(folder)
    cell = cell_size(vae.config)
    if wrong := sorted({size for size in store.column("size") if size % cell}):
        raise ClipError(f"{folder}: got clips of {wrong[0]} pixels, this model's VAE expects multiples of {cell}")
    target = Path(folder, "features", model_digest(vae, image_encoder))
    target.mkdir(parents=True, exist_ok=True)
    shards = np.array(store.column("shard"))
    with tqdm(total=len(store), desc="encoding", mininterval=1) as bar:
        for shard in dict.fromkeys(shards):
            numbers, path = np.flatnonzero(shards == shard), target / Path(shard).with_suffix(".safetensors").name
            if not _are_encoded(store, numbers, path):
                if time.monotonic() >= until:
                    return None
                batches = np.split(numbers, range(batch, len(numbers), batch))
                encoded = [_encode(store, some, vae, image_encoder) for some in batches]
                latents, embeddings, keys = (list(parts) for parts in zip(*encoded, strict=True))
                with whole_file(path) as partial:
                    save_file({"latents": torch.cat(latents), "embeddings": torch.cat(embeddings)}, partial,
                              metadata={"keys": "\n".join(key for some in keys for key in some)})
            bar.update(len(numbers))
    return target


def _are_encoded(store: ClipStore, numbers: np.ndarray, path: Path) -> bool:
    """Whether `path` has the features of these clips, all but those that still cannot be read."""
    try:
        with safe_open(path, "pt") as stored:
            known = stored.metadata()["keys"].split("\n")
    except (OSError, SafetensorError, KeyError, TypeError):
        return False
    keys = [store.column("key")[i] for i in numbers]
    return len(known) == len(keys) and all(there == key or (not there and isinstance(_frames(store, i), ClipError))
                                           for there, key, i in zip(known, keys, numbers, strict=True))


def _frames(store: ClipStore, number: int) -> np.ndarray | ClipError:
    """A clip's frames, or why they cannot be read."""
    try:
        return store.frames(int(number))
    except ClipError as error:
        return error


def _encode(store: ClipStore, numbers, vae, image_encoder) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """Latents and embeddings of clips, and their keys; NaN, and no key, where a clip cannot be read."""
    read, keys = [_frames(store, i) for i in numbers], [store.column("key")[i] for i in numbers]
    lost = [row for row, frames in enumerate(read) if isinstance(frames, ClipError)]
    for row in lost:
        tqdm.write(f"left out: {read[row]}", file=sys.stderr)
        side = store.column("size")[numbers[row]]
        read[row], keys[row] = np.zeros((store.column("frames")[numbers[row]], side, side, 3), np.uint8), ""
    pictures = to_tensor(np.stack(read)).to(vae.device, vae.dtype)  # (n, N, 3, H, W)
    latents = encode(vae, pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])
    latents, embeddings = latents.half().cpu(), torch.zeros(len(read), 0, dtype=torch.float16)
    if image_encoder is not None:
        first = clip_pixels(pictures[:, 0], image_encoder.config.image_size).to(image_encoder.device, image_encoder.dtype)
        embeddings = image_encoder(first).image_embeds.half().cpu()
    latents[lost], embeddings[lost] = torch.nan, torch.nan
    return latents, embeddings, keys


class Features:
    """The cached features of a folder of clips, by clip number."""

    def __init__(self, folder: str | os.PathLike, features: str | os.PathLike):
        self.folder, self._shard = Path(features), ClipStore(folder).column("shard")
        first = {}
        self._row = [i - first.setdefault(shard, i) for i, shard in enumerate(self._shard)]

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """latents (N, C, h, w) and embedding (D,) of clip `number`, float16; only its part of the file is read.

        Raises ClipError where that cannot be read, or the clip could not when it was encoded.
        """
        path = self.folder / Path(self._shard[number]).with_suffix(".safetensors").name
        try:
            with safe_open(path, "pt") as stored:
                row = self._row[number]
                if not stored.metadata()["keys"].split("\n")[row]:
                    raise ClipError(f"{path}: got no features of clip {number}, which could not be read: render its shard again")
                return stored.get_slice("latents")[row], stored.get_slice("embeddings")[row]
        except (OSError, SafetensorError) as error:
            raise ClipError(f"{path}: cannot be read ({error}), expected features: cache them again") from None

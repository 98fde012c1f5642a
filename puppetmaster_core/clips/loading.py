"""Clips for PyTorch's DataLoader, drawn from a mixture: the order is the same with any number of workers, and after a resume."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import IterableDataset, get_worker_info

from puppetmaster_core.clips.mixture import Mixture


class DrawnClips(IterableDataset):
    """Endless pairs (clip number, clip). `batch` is the DataLoader's batch_size: its workers make whole batches in turn.

    clips: a ClipStore, or anything that gives an item for a number. first: the draw to begin with, batches done × batch.
    """

    def __init__(self, clips, mixture: Mixture, first: int = 0, batch: int = 1):
        self.clips, self.mixture, self.first, self.batch = clips, mixture, first, batch

    def __iter__(self) -> Iterator[tuple[int, object]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        return ((number, self.clips[number]) for number in self.mixture.stream(self.first, worker, workers, self.batch))

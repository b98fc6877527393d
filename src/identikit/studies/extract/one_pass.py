"""One pass over the images: decoded in processes, encoded on the device, written shard by shard.

Shard k holds images [k s, (k + 1) s) in the order of their keys, and no batch crosses a border, so
the bits of a shard do not depend on which others were there before. All outputs see the same
batches; features stay on the device until their shard is full, so that it need not wait.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.features.shards import shard_file, write_shard
from identikit.studies.extract.device_timer import DeviceTimer
from identikit.studies.extract.outputs import Output
from identikit.worlds.batches import Batch, sample_batches
from identikit.worlds.image_folder import Images


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePass:
    """The shards that are missing, and how they are made."""

    images: Images
    transform: Callable[..., Tensor]
    outputs: Sequence[Output]
    device: torch.device
    arithmetic: torch.dtype
    """That matrix products are made in."""
    batch_size: int
    shard_size: int
    skip_corrupt: bool
    missing: dict[int, list[Output]] = field(init=False)
    """Who lacks which shard."""

    def __post_init__(self) -> None:
        lacking = {
            k: [output for output in self.outputs if not output.has(k)] for k in range(self.shards)
        }
        missing = {k: outputs for k, outputs in lacking.items() if outputs}
        object.__setattr__(self, "missing", missing)

    @property
    def shards(self) -> int:
        """How many there must be in the end."""
        return -(-len(self.images) // self.shard_size)

    @property
    def left(self) -> int:
        """Images that are still to be encoded."""
        return sum(len(self._rows(k)) for k in self.missing)

    def makes(self, output: Output) -> bool:
        """Whether an output lacks shards."""
        return any(output is lacking for outputs in self.missing.values() for lacking in outputs)

    def _rows(self, shard: int) -> range:
        first = shard * self.shard_size
        return range(first, min(first + self.shard_size, len(self.images)))

    def _batches(self, shard: int) -> list[range]:
        rows = self._rows(shard)
        return [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]

    def refuse_full_disk(self) -> None:
        """See that what is to be made fits on the disk.

        Raises:
            InputError: it does not.
        """
        needed = sum(
            len(self._rows(k)) * output.row_bytes
            for k, outputs in self.missing.items()
            for output in outputs
        )
        folder = self.outputs[0].folder
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise InputError(
                f"the features take {needed / 1e9:,.1f} GB and {folder} has {free / 1e9:,.1f} GB "
                "left. Make room, give --out a folder on another disk, or take --dtype float16."
            )

    def run(self, *, workers: int, busy: DeviceTimer, on_images: Callable[[int], None]) -> None:
        """Make what is missing.

        Args:
            workers: Processes that load images.
            busy: Counts the time that the device works.
            on_images: Told of every batch how many images it had.

        Raises:
            InputError: an image that cannot be read, features that are not finite, a device or a
                disk that is full.
        """
        stream = sample_batches(
            self.images,
            [batch for k in self.missing for batch in self._batches(k)],
            transform=self.transform,
            workers=workers,
            pin_memory=self.device.type == "cuda",
        )
        for k, outputs in self.missing.items():
            found: list[list[Tensor]] = [[] for _ in outputs]
            skipped: list[str] = []
            for indices, batch in zip(self._batches(k), stream, strict=False):
                skipped += self._unreadable(batch)
                if len(batch.x):
                    with busy.work():
                        for parts, output in zip(found, outputs, strict=True):
                            parts.append(self._encode(output, batch))
                on_images(len(indices))
            for parts, output in zip(found, outputs, strict=True):
                self._write(k, output, parts, skipped)

    def _unreadable(self, batch: Batch) -> list[str]:
        """Keys of images that could not be read, if that is to be borne."""
        named = {self.images.keys[index]: why for index, why in batch.unreadable.items()}
        if named and not self.skip_corrupt:
            words = "; ".join(f"{key} ({why})" for key, why in named.items())
            raise InputError(
                f"images that cannot be read: {words}. Mend or remove them, or give "
                "--skip-corrupt to go on without them; what was extracted stays."
            )
        return list(named)

    def _encode(self, output: Output, batch: Batch) -> Tensor:
        mixed = self.arithmetic != torch.float32
        try:
            with (
                torch.inference_mode(),
                torch.autocast(
                    self.device.type, dtype=self.arithmetic if mixed else None, enabled=mixed
                ),
            ):
                x = batch.x.to(self.device, non_blocking=True)
                h = output.encode(x.contiguous(memory_format=torch.channels_last))
                return h.to(output.torch_dtype)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"the device has too little memory for {len(batch.x)} images at a time. Give a "
                "smaller --batch-size."
            ) from error

    def _write(self, shard: int, output: Output, parts: list[Tensor], skipped: list[str]) -> None:
        h = (
            torch.cat(parts).cpu()
            if parts
            else torch.empty(0, output.dim, dtype=output.torch_dtype)
        )
        bad = ~torch.isfinite(h).all(dim=1)
        if bool(bad.any()):
            left_out = set(skipped)
            keys = [self.images.keys[i] for i in self._rows(shard)]
            first = [key for key in keys if key not in left_out][int(bad.int().argmax())]
            raise InputError(
                f"the features of {int(bad.sum())} images, {first} first, have values that "
                f"{output.dtype} cannot hold, or none at all (NaN), in "
                f"{str(self.arithmetic).removeprefix('torch.')} arithmetic. Give --dtype float32 "
                "and --precision float32; if that does not help, the model is at fault."
            )
        write_shard(output.folder / shard_file(shard), h.numpy(), skipped=skipped)

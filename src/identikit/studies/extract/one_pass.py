"""One pass over the samples: read in processes, encoded on the device, written shard by shard.

Shard k holds samples [k s, (k + 1) s) in the order of their keys, and no batch crosses a border, so
the bits of a shard do not depend on which others were there before. All outputs see the same
batches, and those of one network share its forward pass; features stay on the device until their
shard is full, so that it need not wait. Then its first samples are encoded once more: features that
have changed by then depend on what went before, or beside them, and are not written.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.features.shards import shard_file, write_shard
from identikit.studies.extract.device_timer import DeviceTimer
from identikit.studies.extract.outputs import Output
from identikit.worlds.batches import Batch, Samples, sample_batches

_AGAIN = 2
"""Samples of a shard that are encoded once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePass:
    """The shards that are missing, and how they are made."""

    samples: Samples
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
        return -(-len(self.samples) // self.shard_size)

    @property
    def left(self) -> int:
        """Samples that are still to be encoded."""
        return sum(len(self._rows(k)) for k in self.missing)

    def makes(self, output: Output) -> bool:
        """Whether an output lacks shards."""
        return any(output is lacking for outputs in self.missing.values() for lacking in outputs)

    def _rows(self, shard: int) -> range:
        first = shard * self.shard_size
        return range(first, min(first + self.shard_size, len(self.samples)))

    def _batches(self, shard: int) -> list[range]:
        rows = self._rows(shard)
        return [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]

    @property
    def bytes_on_disk(self) -> int:
        """Of the shards that are to be made."""
        return sum(
            len(self._rows(k)) * output.row_bytes
            for k, outputs in self.missing.items()
            for output in outputs
        )

    @property
    def bytes_in_memory(self) -> int:
        """Of features, at most: a shard of every output, and twice the one that is written."""
        return max(
            (
                len(self._rows(k))
                * (sum(o.row_bytes for o in outputs) + 2 * max(o.row_bytes for o in outputs))
                for k, outputs in self.missing.items()
            ),
            default=0,
        )

    def refuse_too_large(self) -> None:
        """See that what is to be made fits on the disk, and a shard of it into memory.

        Raises:
            InputError: it does not.
        """
        memory, available = self.bytes_in_memory, _free_memory(self.device)
        if memory > available:
            raise InputError(
                f"a shard of the features takes {memory / 1e9:,.1f} GB of memory, and "
                f"{available / 1e9:,.1f} GB are free. Give a smaller --shard-size, fewer layers or "
                "--dtype float16."
            )
        needed = self.bytes_on_disk
        folder = self.outputs[0].folder
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise InputError(
                f"the features take {needed / 1e9:,.1f} GB and {folder} has {free / 1e9:,.1f} GB "
                "left. Make room, give --out a folder on another disk, or take --dtype float16."
            )

    def run(self, *, workers: int, busy: DeviceTimer, on_samples: Callable[[int], None]) -> None:
        """Make what is missing.

        Args:
            workers: Processes that load images.
            busy: Counts the time that the device works.
            on_samples: Told of every batch how many samples it had.

        Raises:
            InputError: an image that cannot be read, features that are not finite, a device or a
                disk that is full.
        """
        stream = sample_batches(
            self.samples,
            [batch for k in self.missing for batch in self._batches(k)],
            transform=self.transform,
            workers=workers,
            pin_memory=self.device.type == "cuda",
        )
        for k, outputs in self.missing.items():
            found: list[list[Tensor]] = [[] for _ in outputs]
            skipped: list[str] = []
            first: Tensor | None = None
            for indices, batch in zip(self._batches(k), stream, strict=False):
                skipped += self._unreadable(batch)
                if len(batch.x):
                    first = batch.x[:_AGAIN] if first is None else first
                    with busy.work():
                        made = self._encode(outputs, batch.x, self.samples.keys[indices[0]])
                    for parts, h in zip(found, made, strict=True):
                        parts.append(h)
                on_samples(len(indices))
            if first is not None:
                with busy.work():
                    again = self._encode(outputs, first, self.samples.keys[self._rows(k)[0]])
                for parts, h, output in zip(found, again, outputs, strict=True):
                    self._refuse_changed(output, parts[0][:_AGAIN], h)
            for parts, output in zip(found, outputs, strict=True):
                self._write(k, output, parts, skipped)
                parts.clear()

    def _unreadable(self, batch: Batch) -> list[str]:
        """Keys of images that could not be read, if that is to be borne."""
        named = {self.samples.keys[index]: why for index, why in batch.unreadable.items()}
        if named and not self.skip_corrupt:
            words = "; ".join(f"{key} ({why})" for key, why in named.items())
            raise InputError(
                f"images that cannot be read: {words}. Mend or remove them, or give "
                "--skip-corrupt to go on without them; what was extracted stays."
            )
        return list(named)

    def _encode(self, outputs: Sequence[Output], x: Tensor, begins: str) -> list[Tensor]:
        """H of every output; a network is passed through once for all that is read from it."""
        mixed = self.arithmetic != torch.float32
        found: dict[int, Tensor] = {}
        readers = {id(output.reader): output.reader for output in outputs}
        try:
            with (
                torch.inference_mode(),
                torch.autocast(
                    self.device.type, dtype=self.arithmetic if mixed else None, enabled=mixed
                ),
            ):
                there = x.to(self.device, non_blocking=True)
                for reader in readers.values():
                    mine = [i for i, output in enumerate(outputs) if output.reader is reader]
                    read = reader.read(there, [outputs[i].tap for i in mine])
                    for i, h in zip(mine, read, strict=True):
                        found[i] = h.to(outputs[i].torch_dtype)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"the device has too little memory for {len(x)} samples at a time. Give a "
                "smaller --batch-size."
            ) from error
        except InputError as error:
            raise InputError(f"{error} The batch begins with {begins}.") from error
        return [found[i] for i in range(len(outputs))]

    def _refuse_changed(self, output: Output, before: Tensor, after: Tensor) -> None:
        """Hold features to it that they are the same after all other samples of the shard.

        In a smaller batch than before, which kernels may round otherwise.
        """
        kinds = (output.torch_dtype, self.arithmetic)
        rounding = max(1e-4, *(16 * torch.finfo(kind).eps for kind in kinds))
        if self.device.type == "cuda":  # convolutions in TF32, unless they are in half precision
            rounding = max(rounding, 16 * 2**-10)
        size = float(before.double().nan_to_num().square().mean().sqrt())
        differ = float((before.double() - after.double()).nan_to_num().square().mean().sqrt())
        if differ > rounding * size:
            layer = "they" if output.tap is None else f"those of layer {output.tap.layer.name!r}"
            raise InputError(
                f"features change with what the model saw before: {layer} differ by "
                f"{differ / size:.2g} of their root mean square when the same samples are passed "
                "again. Have the model keep nothing from batch to batch, and hide padding from it."
            )

    def _write(self, shard: int, output: Output, parts: list[Tensor], skipped: list[str]) -> None:
        h = (
            torch.cat(parts).cpu()
            if parts
            else torch.empty(0, output.dim, dtype=output.torch_dtype)
        )
        bad = ~torch.isfinite(h).all(dim=1)
        if bool(bad.any()):
            left_out = set(skipped)
            keys = [self.samples.keys[i] for i in self._rows(shard)]
            first = [key for key in keys if key not in left_out][int(bad.int().argmax())]
            raise InputError(
                f"the features of {int(bad.sum())} samples, {first} first, have values that "
                f"{output.dtype} cannot hold, or none at all (NaN), in "
                f"{str(self.arithmetic).removeprefix('torch.')} arithmetic. Give --dtype float32 "
                "and --precision float32; if that does not help, the model is at fault."
            )
        write_shard(output.folder / shard_file(shard), h.numpy(), skipped=skipped)


def _free_memory(device: torch.device) -> int:
    """Bytes of the device that nothing uses."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # a system that does not say
        return sys.maxsize
    available = next(line for line in lines if line.startswith("MemAvailable"))
    return int(available.split()[1]) * 1024

"""What is encoded: images of a folder, sentences of a table, items of the user's own data set."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from identikit.core.errors import InputError, in_words
from identikit.encoders.adapters import Transform, named_function, own_code, same_values
from identikit.features.table import as_keys, read_table
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.sentences import Sentences, find_sentences
from identikit.worlds.batches import Failed, Item, Samples, sample_batches
from identikit.worlds.image_folder import find_images


def find_samples(config: ExtractConfig) -> Samples:
    """All samples that the options ask for, in their order.

    Raises:
        InputError: a folder, function or table that cannot be used, keys without a sample.
    """
    if config.sentences is not None:
        return find_sentences(config.sentences, key=config.key, truncate=config.truncate)
    wanted = None
    if config.factors is not None:
        column = read_table(config.factors, key=config.key).columns[config.key]
        wanted = as_keys(column, str(config.factors)).tolist()
    if config.images is not None:
        return find_images(config.images, keys=wanted, follow_links=config.follow_links)
    return find_items(config.data or "", keys=wanted)


_DRY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Items of a data set by their keys."""

    name: str
    data: Any
    keys: tuple[str, ...]
    places: tuple[int, ...]
    """Of each in the data set."""
    passed_over: dict[str, int] = field(default_factory=dict)
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def prepared(self, transform: Callable[[Any], Tensor]) -> Dataset[Item]:
        """Tensors as they are; PIL images as the model wants them."""
        return _Prepared(self, transform)

    def settings(self) -> dict[str, Any]:
        """What they are known by: their name, keys and the first of them."""
        sha = hashlib.sha256("\n".join(self.keys).encode())
        first = _Prepared(self, _pixels)[0][1]
        if isinstance(first, Tensor):
            flat = first.detach().cpu().contiguous().reshape(-1)
            sha.update(flat.view(torch.uint8).numpy().tobytes())
        return {"data": self.name, "samples_count": len(self), "samples_sha256": sha.hexdigest()}


def dry_samples(samples: Samples) -> Callable[[Transform], Tensor] | None:
    """What makes a few items or sentences for a model's dry run; None for images.

    Raises:
        InputError: when it is called: items that cannot be prepared, or differ from call to call.
    """
    if not isinstance(samples, Items | Sentences):
        return None

    def made(transform: Transform) -> Tensor:
        order: Sequence[int] = range(len(samples))
        if isinstance(samples, Sentences):  # of several lengths, up to the median
            order = sorted(order, key=lambda row: len(samples.sentences[row].text))
            order = order[: len(order) // 2 + 1]
        rows = [order[k * len(order) // _DRY] for k in range(_DRY)]
        once, again = (
            next(iter(sample_batches(samples, [rows], transform=transform, workers=0))).x
            for _ in range(2)
        )
        if not same_values(once, again):
            raise InputError(
                "the data set gives something else for the same item each time (drawn at random, "
                "perhaps). Have it depend on the item's number alone."
            )
        return once

    return made


def find_items(name: str, *, keys: Collection[str] | None = None) -> Items:
    """Items of the data set that a function returns: module:function.

    A key is what the data set's attribute `keys` says, or else an item's number: "0", "1" ...

    Raises:
        InputError: the function fails or returns no data set with a length, or keys that are none
            of its items' or come twice.
    """
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise InputError(f"--data is module:function of your own; got {name!r}.")
    made = named_function(module, function)
    with own_code(name):
        data = made()
        known = hasattr(data, "__getitem__") and hasattr(data, "__len__")
        length = len(data) if known else 0
    if length == 0:
        raise InputError(
            f"{name} should return a data set with a length and items by number (a torch Dataset, "
            f"say) that is not empty; it returned {type(data).__name__}."
        )
    named = getattr(data, "keys", None)
    words = list(map(str, range(length) if named is None or callable(named) else named))
    if len(words) != length or len(set(words)) != length:
        raise InputError(
            f"the keys of {name} must be one text per item, each once; got {len(words):,} "
            f"({len(set(words)):,} different) for {length:,} items."
        )
    places = list(range(length))
    if keys is not None:
        index = {word: place for place, word in enumerate(words)}
        missing = [key for key in keys if key not in index]
        if missing or len(set(keys)) < len(keys):
            what = f"none is {missing[0]!r}" if missing else "some come twice"
            raise InputError(
                f"the keys of the table must be keys of {name} (such as {words[0]!r}), each once; "
                f"{what}."
            )
        wanted = set(keys)
        places = [place for place, word in enumerate(words) if word in wanted]
    return Items(
        name=name,
        data=data,
        keys=tuple(words[place] for place in places),
        places=tuple(places),
    )


class _Prepared(Dataset[Item]):
    """Items by index."""

    def __init__(self, items: Items, transform: Callable[[Any], Any]) -> None:
        self.data, self.places = items.data, np.array(items.places)
        self.transform = transform

    def __getitem__(self, index: int) -> Item:
        try:
            x = _observation(self.data[int(self.places[index])])
            if not isinstance(x, Tensor | np.ndarray):
                x = self.transform(x)
        except Exception as error:
            return index, Failed(f"the data set or its transform fails: {in_words(error)}")
        if isinstance(x, np.ndarray):
            x = torch.from_numpy(np.ascontiguousarray(x))
        if not isinstance(x, Tensor):
            return index, Failed(f"it is {type(x).__name__}, and neither a tensor nor an image")
        return index, x


def _observation(item: Any) -> Any:
    """What a model takes of an item: itself, the first of a tuple, `x` (or all) of a dict."""
    if isinstance(item, Mapping):
        if "x" in item or len(item) == 1:
            return item.get("x", next(iter(item.values())))
        names = ", ".join(map(str, item))
        raise InputError(f"an item holds {names}; name what the model takes 'x'")
    return item[0] if isinstance(item, Sequence) and not isinstance(item, str) else item


def _pixels(image: Any) -> Any:
    """An image as it is, for what needs no model."""
    return torch.from_numpy(np.asarray(image).copy())

"""Sentences of a table, as the samples that a network of text is fed with.

Column of the table      what it holds
text                     the sentence
group                    lemma, template or whatever else is to be held out together; may be absent
span, span_start         words of the sentence for --pool span, and the number of the character
                         that they begin with, 0 the first; may be absent, the latter also where
                         the words come once
key (or --key)           name of the row; without it, its number: 0, 1, ...
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from torch import Tensor
from torch.utils.data import Dataset

from identikit.core.errors import InputError, in_words
from identikit.encoders.adapters import MASK, SPAN, Sentence, Tokenized
from identikit.features.columns import Column
from identikit.features.table import as_keys, read_table
from identikit.worlds.batches import Failed, Item

TEXT, GROUP, WORDS, START = "text", "group", "span", "span_start"
_BLOCK: Final = 1024
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """The rows of a table by their keys."""

    table: Path
    sentences: tuple[Sentence, ...]
    keys: tuple[str, ...]
    key: str | None
    """The column that holds them, if one does."""
    groups: tuple[str, ...] | None
    """Of each sentence, if the table says."""
    truncate: bool
    """Whether sentences that are too long for the model are cut."""
    passed_over: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def prepared(self, transform: Callable[[Any], Tensor]) -> Dataset[Item]:
        """Token ids, of the sentences of a batch together."""
        return _Tokens(self.sentences, self._cutting(transform))

    def settings(self) -> dict[str, Any]:
        """What they are known by: their table, and all that was read of it."""
        content = json.dumps([self.sentences, self.keys, self.groups])
        return {
            "sentences": str(self.table.resolve()),
            "samples_count": len(self),
            "samples_sha256": hashlib.sha256(content.encode()).hexdigest(),
            "key": self.key,
            "truncate": self.truncate,
        }

    def _cutting(self, transform: Any) -> Tokenized:
        if not isinstance(transform, Tokenized):
            raise InputError(
                f"{self.table} holds sentences, and the model takes images (or tensors). Give "
                "--images or --data, or a model of text."
            )
        return replace(transform, truncate=self.truncate)

    def remarks(self, transform: Any, *, spans: bool) -> tuple[str, ...]:
        """What may not be meant; sentences that do not fit the model are refused.

        Args:
            transform: The model's.
            spans: Whether spans are going to be read.

        Raises:
            InputError: sentences that are longer than the model takes, spans that are not given or
                have no token.
        """
        if spans and any(sentence.span is None for sentence in self.sentences):
            raise InputError(
                f"--pool span reads the words in a column {WORDS}, and {self.table} has no column "
                f"{WORDS}. Add it, or choose last, mean or cls."
            )
        tokenized = self._cutting(transform)
        longer: list[tuple[str, int]] = []
        lost: list[str] = []
        spanned: list[int] = []
        for start in range(0, len(self), _BLOCK):
            rows = slice(start, start + _BLOCK)
            x = tokenized(self.sentences[rows])
            for key, sentence, mask, span in zip(
                self.keys[rows], self.sentences[rows], x[:, MASK], x[:, SPAN], strict=True
            ):
                tokens = int(mask.sum())
                if tokenized.longest is not None and tokens > tokenized.longest:
                    longer.append((key, tokens))
                spanned.append(int(span.sum()))
                if sentence.span is not None and not spanned[-1]:
                    lost.append(key)
        if longer:
            words = ", ".join(f"{key} with {tokens:,}" for key, tokens in longer[:_SHOWN])
            raise InputError(
                f"{len(longer):,} of {len(self):,} sentences in {self.table} are longer than the "
                f"{tokenized.longest:,} tokens that the model takes ({words}). Cut their ends "
                "with --truncate, drop or split them, or choose a model that takes more."
            )
        if lost:
            raise InputError(
                f"the spans of {len(lost):,} sentences in {self.table} have no token (rows "
                f"{', '.join(lost[:_SHOWN])}): they are blank, or were cut off by --truncate. "
                "Choose other spans."
            )
        return (*self._lone(), *(self._unequal(spanned) if spans else ()))

    def _lone(self) -> Iterator[str]:
        counts = Counter(self.groups or ())
        lone = [group for group, times in counts.items() if times == 1]
        if lone:
            yield (
                f"{len(lone):,} of {len(counts):,} groups have one sentence "
                f"({', '.join(lone[:_SHOWN])}); held out whole, these are no more than single "
                "sentences"
            )

    def _unequal(self, spanned: Sequence[int]) -> Iterator[str]:
        """Groups whose spans are of several lengths; the word pairs of one concept, say."""
        lengths: dict[str, set[int]] = {}
        for group, tokens in zip(self.groups or (), spanned, strict=False):
            lengths.setdefault(group, set()).add(tokens)
        unequal = [group for group, own in lengths.items() if len(own) > 1]
        if unequal:
            yield (
                f"in {len(unequal):,} of {len(lengths):,} groups ({', '.join(unequal[:_SHOWN])}) "
                "the spans split into different numbers of tokens: what differs between their "
                "sentences is also that"
            )


def find_sentences(table: Path, *, key: str, truncate: bool) -> Sentences:
    """The sentences of a table, in its order.

    Args:
        table: With the columns that the module names.
        key: The column of keys; where it is the usual `key` it may be absent.
        truncate: Whether sentences that are too long for the model are to be cut.

    Raises:
        InputError: no such table or column, sentences that are empty, keys that come twice, spans
            that are not in their sentence.
    """
    texts = _words(table, TEXT)
    columns = read_table(table).columns
    own = key in columns or key != "key"
    if own:
        keys = as_keys(read_table(table, key=key).columns[key], str(table)).tolist()
    else:
        keys = [str(row) for row in range(len(texts))]
    return Sentences(
        table=table,
        sentences=tuple(map(Sentence, texts, _spans(columns, texts, table))),
        keys=tuple(keys),
        key=key if own else None,
        groups=_words(table, GROUP) if GROUP in columns else None,
        truncate=truncate,
    )


def _words(table: Path, name: str) -> tuple[str, ...]:
    """A column as text, of which nothing may be missing: 0012 is not 12."""
    found = read_table(table, key=name).columns[name].require(f"column {name!r} of {table}")
    if len(found.shape) != 1:
        raise InputError(f"column {name!r} of {table} must have one value per row.")
    words = found.values.astype(str)
    empty = [
        str(row) for row, word in enumerate(words) if found.missing[row] or not str(word).strip()
    ]
    if empty:
        raise InputError(
            f"column {name!r} of {table} is empty in {len(empty):,} of {len(words):,} rows (such "
            f"as {', '.join(empty[:_SHOWN])}, the first row being 0). Fill or drop them."
        )
    return tuple(words.tolist())


def _spans(
    columns: dict[str, Column], texts: Sequence[str], table: Path
) -> Iterator[tuple[int, int] | None]:
    """First and last but one character of each span."""
    if WORDS not in columns:
        yield from [None] * len(texts)
        return
    spans = _words(table, WORDS)
    starts = columns[START].values.tolist() if START in columns else [None] * len(texts)
    for row, (text, span, start) in enumerate(zip(texts, spans, starts, strict=True)):
        at = text.find(span) if start is None else start
        if at < 0 or text[at : at + len(span)] != span:
            where = "" if start is None else f" at character {start}"
            raise InputError(
                f"the span {span!r} is not in its sentence{where}: {text!r} (row {row} of "
                f"{table}). Mend the table."
            )
        if start is None and text.count(span) > 1:
            raise InputError(
                f"the span {span!r} comes {text.count(span)} times in {text!r} (row {row} of "
                f"{table}). Say which with a column {START}: the number of its first character."
            )
        yield at, at + len(span)


class _Tokens(Dataset[Item]):
    """Batches of sentences, for a data loader asks for a batch's items together."""

    def __init__(self, sentences: Sequence[Sentence], transform: Tokenized) -> None:
        self.sentences, self.transform = sentences, transform

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        try:
            x = self.transform([self.sentences[index] for index in indices])
        except Exception as error:
            return [(index, Failed(f"the tokenizer fails: {in_words(error)}")) for index in indices]
        return list(zip(indices, x, strict=True))

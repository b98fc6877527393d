"""Small files of a format, damaged in ways that a seed decides."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from identikit.core.errors import InputError

ODD = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff" * 4, b"\x00" * 8, b"\xff\xff\xff\x7f", b"9" * 12)


def mutants(content: bytes, *, count: int, seed: int) -> Iterator[bytes]:
    """The content with some bytes changed, cut out, put in, repeated or moved."""
    rng = random.Random(seed)
    for _ in range(count):
        found = bytearray(content)
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            # headers decide most, and lie at either end
            end = len(found)
            place = rng.choice((rng.randrange(end), rng.randrange(min(end, 200)), end - 1))
            place = max(0, place - rng.randrange(100)) if place == end - 1 else place
            size = rng.choice((1, 1, 2, 4, 8, 40))
            kind = rng.randrange(6)
            if kind == 0:
                found[place] ^= 1 << rng.randrange(8)
            elif kind == 1:
                found[place : place + size] = rng.randbytes(size)
            elif kind == 2:
                odd = rng.choice(ODD)
                found[place : place + len(odd)] = odd
            elif kind == 3:
                del found[place : place + size]
            elif kind == 4:
                found[place:place] = found[place : place + size]
            else:
                del found[max(1, place) :]
            if not found:
                break
        yield bytes(found)


def never_another_error(
    path: Path, content: bytes, read: Callable[[Path], object], *, count: int, seed: int
) -> int:
    """Read every mutant; how many could be read.

    Raises:
        AssertionError: one that raises anything but an InputError of one line.
    """
    good = 0
    for number, mutant in enumerate(mutants(content, count=count, seed=seed)):
        path.write_bytes(mutant)
        try:
            good += not refused_in_one_line(lambda: read(path))
        except Exception as error:
            raise AssertionError(f"mutant {number} of seed {seed}: {error!r}") from error
    return good


def refused_in_one_line(read: Callable[[], object]) -> bool:
    """Whether an input is refused; any other error comes out."""
    try:
        read()
    except InputError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than a line: {error}") from error
        return True
    return False

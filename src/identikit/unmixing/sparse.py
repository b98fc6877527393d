"""Sparse codes: h as a sum of few of many atoms, so that there may be more factors than dimensions.

    min over atoms D (codes, d), |D_k| = 1, and codes y >= 0 of sum_i |x_i - y_i D|²/2 + t |y_i|_1

by online dictionary learning (Mairal et al. 2010, algorithm 2, in its form for a fixed set of
rows: sums over all rows of their last codes), from random rows; then each sample's code is solved
for by itself (Beck and Teboulle 2009, started anew where the momentum points uphill, O'Donoghue
and Candes 2015) with the atoms as they are and a smaller t. x is h along its first principal axes,
its mean left in, since a code of 0 is to say that something is not there; t is a share of its root
mean square norm. Of several starts the one of the least objective is kept, and atoms of two starts
are matched by their cosine. Codes are unique where fewer than (1 + 1 / m) / 2 atoms are in use, m
the largest cosine of two of them (Donoho and Elad 2003); that is a guarantee for the worst case.
Order: the most used atom first.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from identikit.statistics.measures import matched
from identikit.unmixing.ica import MOST_ROWS

LEARNING, SOLVING = 0.2, 0.03
"""t as a share of the root mean square norm: for atoms, and for codes once they are known."""
VISITS = 100_000
"""Of rows, by each start."""
BATCH = 512
ITERATIONS = 1000
TOLERANCE = 1e-5
"""Of codes, relative."""
LOOSE = 1e-3
"""The same while atoms are learned, from the codes of the last visit."""
ROWS = 1024
"""Coded at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """Atoms, and how they came out again."""

    atoms: Float[Tensor, "codes k"]
    """In the coordinates of x, of norm 1; the most used first."""
    penalty: float
    """t of codes."""
    starts: Float[Tensor, "starts codes"]
    """Cosine of each atom with its match in every other start."""

    @property
    def coherence(self) -> float:
        """The largest cosine of two atoms."""
        cosines = (self.atoms @ self.atoms.T).abs()
        return cosines.fill_diagonal_(0).max().item()

    def encode(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n codes"]:
        """The code of each row, solved for by itself."""
        return encoded(x, self.atoms, penalty=self.penalty)


def encoded(
    x: Float[Tensor, "n k"], atoms: Float[Tensor, "codes k"], *, penalty: float
) -> Float[Tensor, "n codes"]:
    """The codes of rows by given atoms: accelerated proximal gradient, block by block."""
    start = atoms.new_zeros(min(ROWS, len(x)), len(atoms))
    parts = [
        _solved(rows.to(atoms.dtype), atoms, start[: len(rows)], penalty) for rows in x.split(ROWS)
    ]
    return torch.cat(parts)


def _solved(
    x: Float[Tensor, "n k"],
    atoms: Float[Tensor, "codes k"],
    y: Float[Tensor, "n codes"],
    penalty: float,
    tolerance: float = TOLERANCE,
) -> Float[Tensor, "n codes"]:
    """The codes of rows, beginning at some."""
    gram, goal = atoms @ atoms.T, x @ atoms.T - penalty
    step = 1 / torch.linalg.eigvalsh(gram)[-1].clamp(min=1e-12)
    ahead, speed = y, 1.0
    for _ in range(ITERATIONS):
        last, y = y, (ahead + step * (goal - ahead @ gram)).clamp(min=0)
        moved = y - last
        if moved.norm() <= tolerance * y.norm():
            break
        if ((ahead - y) * moved).sum() > 0:
            speed = 1.0
        faster = (1 + (1 + 4 * speed**2) ** 0.5) / 2
        ahead = y + (speed - 1) / faster * moved
        speed = faster
    return y


def learn_dictionary(
    x: Float[Tensor, "n k"], *, codes: int, starts: int, generator: torch.Generator
) -> Dictionary:
    """Learn atoms from rows.

    Args:
        x: Rows.
        codes: How many atoms.
        starts: Random ones; the best is kept.
        generator: Of the starts.
    """
    part = x[torch.randperm(len(x), generator=generator)[:MOST_ROWS]].float()
    size = part.square().sum(dim=1).mean().sqrt().item()
    found = [_learned(part, codes, LEARNING * size, generator) for _ in range(starts)]
    coded = [encoded(part, atoms, penalty=LEARNING * size) for atoms in found]
    loss = [
        ((part - y @ atoms).square().sum() / 2 + LEARNING * size * y.sum()).item()
        for y, atoms in zip(coded, found, strict=True)
    ]
    best = min(range(starts), key=loss.__getitem__)
    order = (coded[best] > 0).sum(dim=0).argsort(descending=True, stable=True)
    atoms = found[best][order].double()
    others = [matched(atoms @ other.double().T) for i, other in enumerate(found) if i != best]
    empty = x.new_zeros(0, codes)
    return Dictionary(
        atoms=atoms, penalty=SOLVING * size, starts=torch.stack(others) if others else empty
    )


def _learned(
    x: Float[Tensor, "n k"], codes: int, penalty: float, generator: torch.Generator
) -> Float[Tensor, "codes k"]:
    """Atoms from one start."""
    n = len(x)

    def some(count: int) -> Tensor:
        return normalize(x[torch.randint(n, (count,), generator=generator)], dim=1)

    atoms, y = some(codes), x.new_zeros(n, codes)
    squares, products = y.new_zeros(codes, codes), y.new_zeros(codes, x.shape[1])
    for _ in range(max(2, VISITS // n)):
        for rows in torch.randperm(n, generator=generator).split(BATCH):
            last = y[rows]
            y[rows] = new = _solved(x[rows], atoms, last, penalty, LOOSE)
            squares += new.T @ new - last.T @ last
            products += (new - last).T @ x[rows]
            for j, used in enumerate(squares.diag().tolist()):
                if used > penalty**2:  # or it becomes a random row again
                    atoms[j] = normalize(
                        atoms[j] + (products[j] - squares[j] @ atoms) / used, dim=0
                    )
                else:
                    atoms[j] = some(1)[0]
    return atoms

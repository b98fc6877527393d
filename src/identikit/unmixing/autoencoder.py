"""A top-k autoencoder: codes of all rows by one linear map, whose k largest entries are kept.

    min over E, b, c, D of sum_i |x_i - y_i D - c|²,  y_i = relu of the k largest of E (x_i - c) + b

(Makhzani and Frey 2014, arXiv:1312.5663; Gao et al. 2024, arXiv:2406.04093), atoms D_j of norm 1.
The search for each code is amortised in E, as `sparse.encoded` does not. Shapes: x (n, d), y (n,
codes), D (codes, d).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

STEPS, BATCH = 2000, 256
RATE = 3e-3
"""Of Adam; falls linearly to 0 over the second half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """Learnt maps, in the precision of training."""

    encoder: Float[Tensor, "codes d"]
    bias: Float[Tensor, " codes"]
    centre: Float[Tensor, " d"]
    atoms: Float[Tensor, "codes d"]
    active: int
    """k, entries above 0 at most."""

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n codes"]:
        """The codes of rows, in the precision of x."""
        before = (x - self.centre.to(x)) @ self.encoder.to(x).T + self.bias.to(x)
        value, index = before.topk(self.active, dim=1)
        return torch.zeros_like(before).scatter(1, index, value.relu())


def learn_autoencoder(
    x: Float[Tensor, "n d"], *, codes: int, active: int, generator: torch.Generator
) -> Autoencoder:
    """Learn from rows, of any scale.

    Args:
        x: Rows.
        codes: How many entries.
        active: How many of them are kept.
        generator: Of initial atoms, which the encoder starts from too, and batches.
    """
    size = x.square().sum(dim=1).mean().sqrt()
    rows = (x / size).float()
    start = normalize(torch.randn(codes, rows.shape[1], generator=generator), dim=1)
    zeros = torch.zeros(codes), rows.mean(dim=0)
    weights = [w.clone().requires_grad_() for w in (start, *zeros, start)]
    encoder, bias, centre, atoms = weights
    optimizer = torch.optim.Adam(weights, lr=RATE)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, 2 * (1 - step / STEPS))
        batch = rows[torch.randint(len(rows), (BATCH,), generator=generator)]
        unit = normalize(atoms, dim=1)
        own = Autoencoder(encoder=encoder, bias=bias, centre=centre, atoms=unit, active=active)
        loss = (own.encode(batch) @ unit + centre - batch).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = encoder, bias * size, centre * size, normalize(atoms, dim=1)
    names = ("encoder", "bias", "centre", "atoms")
    made = {name: w.detach() for name, w in zip(names, found, strict=True)}
    return Autoencoder(**made, active=active)

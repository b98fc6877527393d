"""Two networks of other seeds in one world, every layer written for `identikit compare`.

    python two_seeds.py box box-0 0 && python two_seeds.py box box-1 1
    python two_seeds.py match box-0 box-1        # components of each layer, matched over the seeds

The factors are independent and uniform in a box, or uniform on a sphere; x is an invertible network
of them; 200 classes have centres of the same distribution, and the label is drawn from
p(c | z) = softmax_c(-2 |z - v_c|²), whose logits are linear in z up to what all classes share.
Both networks see the same 5,000 fresh samples, which no network was trained on.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import identikit
from identikit.core.files import write_json
from identikit.features.layer_list import FORMAT, LAYERS_FILE
from identikit.report.figures import matrix
from identikit.worlds.generators import build_invertible_mlp

DIM, CLASSES, WIDTH, STEPS, BATCH, FRESH = 4, 200, 64, 2500, 256, 5000


def factors(world: str, n: int, generator: torch.Generator) -> Tensor:
    """Uniform in a box, or on a sphere, of variance 1 for each factor."""
    if world == "box":
        return 3**0.5 * (2 * torch.rand(n, DIM, generator=generator) - 1)
    return DIM**0.5 * nn.functional.normalize(torch.randn(n, DIM, generator=generator), dim=1)


def match(one: str, other: str) -> None:
    """Take the components of each layer of one network for the factors of the other's."""
    for folder in sorted(path for path in Path(one).iterdir() if path.is_dir()):
        a, b = (np.load(Path(run) / folder.name / "h.npy") for run in (one, other))
        parts = identikit.unmix(b, components=DIM)
        found = identikit.unmix(a, parts.components_of(b), components=DIM)
        print(
            f"{folder.name}: matched components {found.mcc}, of a random rotation "
            f"{found.random:.2f}, own axes {found.raw}; determined {found.determined} and "
            f"{parts.determined} of {DIM}"
        )
        if folder.name == "h":
            y = np.hstack([found.components_of(a), parts.components_of(b)])
            names = [f"c{k + 1}" for k in range(DIM)]
            matrix(
                np.abs(np.corrcoef(y.T)[:DIM, DIM:]),
                rows=names,
                columns=names,
                labels=(f"component of {one}", f"component of {other}"),
            ).save(f"{one}-{other}.png")


def main(world: str, out: str, seed: int) -> None:
    """Train a network and write its layers, its head and the factors."""
    shared = torch.Generator().manual_seed(0)
    centres = factors(world, CLASSES, shared)
    observe = build_invertible_mlp(DIM, generator=shared, layers=3)
    fresh = factors(world, FRESH, shared)
    own = torch.Generator().manual_seed(1000 + seed)
    torch.manual_seed(seed)
    widths = [DIM, WIDTH, WIDTH, WIDTH]
    blocks = [nn.Sequential(nn.Linear(p, q), nn.LeakyReLU(0.2)) for p, q in pairwise(widths)]
    network = nn.Sequential(*blocks, nn.Linear(WIDTH, 2 * DIM))
    head = nn.Linear(2 * DIM, CLASSES)
    parameters = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        z = factors(world, BATCH, own)
        label = torch.multinomial((4 * z @ centres.T - 2 * centres.square().sum(1)).softmax(1), 1)
        loss = nn.functional.cross_entropy(head(network(observe(z))), label[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    h, layers = observe(fresh), []
    with torch.no_grad():
        for k, block in enumerate(network):
            h = block(h)
            name = f"layer{k + 1}" if k + 1 < len(network) else "h"
            folder = Path(out) / name
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / "h.npy", h.numpy())
            layers.append({"name": name, "folder": name})
    write_json(Path(out) / LAYERS_FILE, {"format": FORMAT, "model": out, "layers": layers})
    ones = torch.ones(len(h), 1)  # the bias of the head is its last column
    weights = torch.cat([head.weight, head.bias[:, None]], dim=1).detach()
    np.savez(f"{out}.npz", h=torch.cat([h, ones], dim=1).numpy(), W=weights.numpy())
    np.savetxt(f"{world}.csv", fresh, delimiter=",", header="z1,z2,z3,z4", comments="", fmt="%.6f")
    print(f"{out}: loss {loss.item():.3f}")


if __name__ == "__main__":
    if sys.argv[1] == "match":
        match(*sys.argv[2:])
    else:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

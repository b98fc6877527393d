"""Adam and SGD against torch's own, and what a fit imports."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from identikit.training.fused import SGD, Adam

FIT = """
import sys
import identikit as ik
world = ik.worlds.VonMises(dim=2, classes=6, kappa=5.0, generator="identity")
ik.fit(world, recipe="fast", steps=3, samples=64)
print(sorted(name for name in sys.modules if name in ("torch._dynamo", "torch._inductor")))
"""


@pytest.mark.parametrize(
    ("own", "torchs", "options"),
    [
        (Adam, torch.optim.AdamW, {"weight_decay": 0.2}),
        (Adam, torch.optim.Adam, {"weight_decay": 0.0}),
        (SGD, torch.optim.SGD, {"weight_decay": 0.2}),
    ],
)
def test_steps_are_those_of_torch_to_the_bit(
    own: Any, torchs: Any, options: dict[str, float]
) -> None:
    """A parameter that gets its first gradient late has a state of its own from there.

    But not for SGD, as torch's own cannot do that.
    """
    late_from = 0 if own is SGD else 3
    generator = torch.Generator().manual_seed(0)
    starts = [torch.randn(shape, generator=generator) for shape in ((7, 3), (5,))]
    ours, theirs = ([nn.Parameter(start.clone()) for start in starts] for _ in range(2))
    a = own(ours, 0.1, **options, **({"second_moment": 0.99} if own is Adam else {}))
    more: dict[str, Any] = {"betas": (0.9, 0.99)}
    if own is SGD:
        more = {"momentum": 0.9, "nesterov": True}
    b = torchs(theirs, lr=0.05, fused=True, **options, **more)
    for step in range(6):
        for first, late in (ours, theirs):
            (first.sin() * (step + 1)).sum().backward()
            if step >= late_from:
                (late.cos() * step).sum().backward()
        a.step(0.5)
        b.step()
        for p in (*ours, *theirs):
            p.grad = None
    assert all(torch.equal(p, q) for p, q in zip(ours, theirs, strict=True))


def test_a_fit_never_imports_the_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", FIT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

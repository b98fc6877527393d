"""Adam without the compiler against torch's own, and what a fit imports."""

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from identikit.training.eager import EagerAdam, EagerSGD

FIT = """
import sys
import identikit as ik
world = ik.worlds.VonMises(dim=2, classes=6, kappa=5.0, generator="identity")
ik.fit(world, recipe="fast", steps=3, samples=64)
print(sorted(name for name in sys.modules if name in ("torch._dynamo", "torch._inductor")))
"""


ADAM = {"betas": (0.9, 0.99)}


@pytest.mark.parametrize(
    ("eager", "torchs", "options"),
    [
        (EagerAdam, torch.optim.Adam, ADAM),
        (
            partial(EagerAdam, decoupled_weight_decay=True),
            torch.optim.AdamW,
            ADAM | {"weight_decay": 0.2},
        ),
        (
            EagerSGD,
            torch.optim.SGD,
            {"momentum": 0.9, "nesterov": True, "weight_decay": 0.2},
        ),
    ],
)
def test_steps_and_states_are_those_of_torch_to_the_bit(
    eager: Any, torchs: Any, options: dict[str, Any]
) -> None:
    start = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    a = eager([ours], lr=0.1, fused=True, **options)
    b = torchs([theirs], lr=0.1, fused=True, **options)
    for step in range(6):
        for p, optimizer in ((ours, a), (theirs, b)):
            (p.sin() * (step + 1)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        if step == 2:  # either goes on from the other's state
            states = a.state_dict(), b.state_dict()
            a.load_state_dict(states[1])
            b.load_state_dict(states[0])
    assert torch.equal(ours, theirs)


def test_a_fit_never_imports_the_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", FIT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

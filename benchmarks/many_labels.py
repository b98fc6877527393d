"""One step of a head of many labels: memory and processor time, beside PyTorch's own words for it.

Each way runs in a process of its own, on one thread: a linear layer, `F.cross_entropy` and AdamW;
the same with torch's own chunks, `F.linear_cross_entropy` (without label smoothing, which they do
not know); the full softmax of `SoftmaxHead` with AdamW; the sampled one with steps on the rows it
touches. Time is the processor's, since machines are shared; the first step, which allocates, is
left out.

    python benchmarks/many_labels.py --labels 100000
    python benchmarks/many_labels.py --labels 1281167 --ways sampled
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.training.config import TrainingConfig
from identikit.training.optimizers import Optimizers

WAYS = ("naive", "fused", "full", "sampled")
RESULTS = Path(__file__).parent / "results" / "many_labels.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--negatives", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--here", action="store_true", help="run the one way in this process")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measured(options)))
        return
    rows = []
    for way in options.ways:
        words = [f"--{k.replace('_', '-')}={v}" for k, v in vars(options).items() if k in NUMBERS]
        command = [sys.executable, __file__, "--here", *words, "--ways", way]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows.append(json.loads(said))
        print(rows[-1])
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    kept = [row for row in before if (row["way"], row["labels"]) not in {named(r) for r in rows}]
    RESULTS.write_text(json.dumps([*kept, *rows], indent=1) + "\n")


NUMBERS = ("labels", "dim", "batch_size", "negatives", "steps")


def named(row: dict[str, object]) -> tuple[object, object]:
    return row["way"], row["labels"]


def measured(options: argparse.Namespace) -> dict[str, object]:
    (way,) = options.ways
    torch.set_num_threads(1)
    step = steps_of(way, options)
    seconds = []
    for _ in range(options.steps + 1):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "way": way,
        **{name: getattr(options, name) for name in NUMBERS},
        "seconds_a_step": min(seconds[1:]),
        "peak_bytes": peak,
    }


def steps_of(way: str, options: argparse.Namespace) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)
    n, labels = options.batch_size, options.labels
    h = nn.Parameter(torch.randn(n, options.dim, generator=generator))

    def label() -> Tensor:
        return torch.randint(labels, (n,), generator=generator)

    if way in ("naive", "fused"):
        linear = nn.Linear(options.dim, labels, bias=False)
        adam = torch.optim.AdamW([h, *linear.parameters()], lr=1e-3, weight_decay=0.05)

        def naive() -> None:
            if way == "naive":
                F.cross_entropy(linear(h), label(), label_smoothing=0.8).backward()
            else:
                chunks = nn.LinearCrossEntropyOptions()
                F.linear_cross_entropy(h, linear.weight, label(), options=chunks).backward()
            adam.step()
            adam.zero_grad()

        return naive
    full = way == "full"
    head = SoftmaxHead(
        HeadConfig(negatives=None if full else options.negatives, group=n),
        labels,
        options.dim,
        generator=generator,
        label_smoothing=0.8 if full else 0.0,
        sparse=not full,
    )
    held = nn.ParameterList([h])
    config = TrainingConfig(optimizer="adam", rate=1e-3, head_rate=1e-3, weight_decay=0.05)
    optimizers = Optimizers(held, head, config)

    def ours() -> None:
        head.loss(h, label(), generator=generator).backward()
        optimizers.step(1.0)

    return ours


if __name__ == "__main__":
    main()

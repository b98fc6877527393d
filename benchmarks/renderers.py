"""Images per second of the rendered worlds at 64 x 64: from their grids, and between its levels.

python benchmarks/renderers.py [--threads 4] [--device cuda] [--images 16384]

"grid" images come from masks or surfaces that are kept, "direct" ones are drawn from continuous
values; both are uint8 on the device, whose kept parts are made before. Each number is the median
of five calls on the same random rows; with `--cpu-seconds` the clock is the process's own processor
time, for one thread on a machine that is busy. Results join `results/renderers.json`, one entry
for each device and number of threads. `--pictures FOLDER` times nothing and writes the sheets of
docs/rendered-worlds.md.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from identikit.core.randomness import stream
from identikit.runs.provenance import machine, versions
from identikit.worlds.rendered.renderer import Renderer
from identikit.worlds.rendered.rooms import Rooms
from identikit.worlds.rendered.sprites import Sprites

RESULTS = Path(__file__).parent / "results" / "renderers.json"
CALLS = 5
MIDDLE = {"floor_hue": 0.0, "wall_hue": 0.6, "object_hue": 0.3, "orientation": 0.0, "shape": 2.0}
"""Of traversals, where it is not the middle level."""
WORLDS: dict[str, Callable[[], Renderer]] = {
    "sprites": Sprites,
    "sprites, anti-aliased": lambda: Sprites(antialiased=True),
    "rooms": Rooms,
}


def rates(make: Callable[[], Renderer], options: argparse.Namespace) -> dict[str, float]:
    world, device = make(), options.device
    generator = stream(0, "rows", device=device)
    rows = torch.randint(world.grid.size, (options.images,), generator=generator, device=device)
    values = world.values(rows)
    assert torch.equal(world.images(rows[:100]), world.render(values[:100]))
    return {
        "grid": options.images / seconds(lambda: world.images(rows), options),
        "direct": options.images / seconds(lambda: world.render(values), options),
    }


def seconds(draw: Callable[[], Tensor], options: argparse.Namespace) -> float:
    clock = time.process_time if options.cpu_seconds else time.perf_counter
    taken = []
    for _ in range(CALLS):
        start = clock()
        draw()
        if options.device.startswith("cuda"):
            torch.cuda.synchronize()
        taken.append(clock() - start)
    return statistics.median(taken)


def draw_pictures(folder: Path) -> None:
    for name, make in WORLDS.items():
        world = make()
        rows = torch.randint(world.grid.size, (32,), generator=stream(0, "pictures"))
        write_sheet(world.images(rows), folder / f"{name.replace(', ', '-')}-samples.png", across=8)
        if name == "sprites":
            continue
        axes = world.grid.axes
        middle = [MIDDLE.get(axis.name, axis.values[axis.size // 2].item()) for axis in axes]
        values = torch.tensor(middle).repeat(len(axes), 9, 1)
        for j, axis in enumerate(axes):
            steps = torch.linspace(0, axis.size - 1, 9)
            if axis.name == "shape":
                steps = steps.round()
            low, high = axis.values[0], axis.values[-1]
            values[j, :, j] = low + steps / (axis.size - 1) * (high - low)
        sheet = folder / f"{world.name}-traversals.png"
        write_sheet(world.render(values.flatten(0, 1)), sheet, across=9)


def write_sheet(images: UInt8[Tensor, "n c h w"], path: Path, *, across: int) -> None:
    """PNG of the images in rows, with a white line between them."""
    framed = torch.nn.functional.pad(images, (1, 1, 1, 1), value=255).numpy()
    n, c, h, w = framed.shape
    rows = framed.reshape(n // across, across, c, h, w).transpose(0, 3, 1, 4, 2)
    sheet = rows.reshape(n // across * h, across * w, c)
    Image.fromarray(sheet[..., 0] if c == 1 else sheet).quantize(128).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--cpu-seconds", action="store_true")
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    if options.pictures is not None:
        draw_pictures(options.pictures)
        return
    torch.set_num_threads(options.threads)
    cuda = options.device.startswith("cuda")
    name = torch.cuda.get_device_name() if cuda else f"{options.threads} thread(s)"
    found = {
        "machine": machine(),
        "torch": versions()["torch"],
        "images": options.images,
        "clock": "processor time" if options.cpu_seconds else "wall",
        "images_per_second": {world: rates(make, options) for world, make in WORLDS.items()},
    }
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(known | {name: found}, indent=2) + "\n")
    for world, by_way in found["images_per_second"].items():
        print(f"{name}: {world}", *(f"{way} {rate:,.0f}/s" for way, rate in by_way.items()))


if __name__ == "__main__":
    main()

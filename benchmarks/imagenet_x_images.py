"""Stand-ins for the validation images of ImageNet: small JPEGs that show some of the factors.

The real images are nobody's to hand out. These have their names and the real annotations, and the
answer is known: of the factors some are drawn (`SHOWN`), the others leave no trace but that of
their correlation with those. Nothing that comes out of them is a claim about ImageNet.

    python benchmarks/imagenet_x_images.py FOLDER --count 5000
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from identikit.worlds.imagenet_x import ANIMAL, ImageNetX, file_name_of, load_imagenet_x

SIDE = 64
SHOWN = {
    "animal": "the object is a disc, else a square",
    "color": "the object is red, else grey",
    "background": "the background is bluish",
    "pattern": "stripes across the background, at any phase",
    "darker": "the image is darkened",
    "brighter": "the image is brightened",
    "smaller": "the object is small",
    "larger": "the object is large",
    "multiple_objects": "three objects in place of one",
}
_ACROSS, _DOWN = np.meshgrid(np.arange(SIDE), np.arange(SIDE))


def shown(annotations: ImageNetX) -> NDArray[np.float32]:
    """What the images show, (n, 9): features that know all there is to know."""
    targets = annotations.targets()
    return np.stack([targets[name].numpy() for name in SHOWN], axis=1).astype(np.float32)


def draw(number: int, there: dict[str, bool], *, seed: int = 0) -> Image.Image:
    """One image: noise and places are its own, what it shows is `there`."""
    generator = np.random.default_rng([seed, number])
    coarse = Image.fromarray(generator.integers(70, 170, (5, 5), dtype=np.uint8))
    ground = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float64)
    pixels = np.repeat(ground[:, :, None], 3, axis=2)
    if there["background"]:
        pixels[:, :, 2] += 30
    if there["pattern"]:
        phase, angle = generator.uniform(0, 2 * np.pi), generator.uniform(0, np.pi)
        along = _ACROSS * np.cos(angle) + _DOWN * np.sin(angle)
        pixels += 35 * np.sin(along * 1.1 + phase)[:, :, None]
    radius = 12.0 * (0.5 if there["smaller"] else 1.6 if there["larger"] else 1.0)
    for _ in range(3 if there["multiple_objects"] else 1):
        x, y = generator.uniform(16, SIDE - 16, 2)
        if there[ANIMAL]:
            inside = (_ACROSS - x) ** 2 + (_DOWN - y) ** 2 < radius**2
        else:
            inside = np.maximum(abs(_ACROSS - x), abs(_DOWN - y)) < 0.886 * radius
        pixels[inside] = (200, 60, 60) if there["color"] else (110, 110, 110)
    pixels *= 0.5 if there["darker"] else 1.5 if there["brighter"] else 1.0
    pixels += generator.normal(0, 12, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write_stand_ins(
    folder: Path, *, count: int | None = None, seed: int = 0, by_class: bool = False
) -> list[Path]:
    """Write the images of the annotated set, or a random `count` of them.

    Args:
        folder: Made if it is not there.
        count: How many.
        seed: Of the choice and of the images.
        by_class: Whether each class has a folder of its own.
    """
    annotations = load_imagenet_x("multi")
    order = np.random.default_rng(seed).permutation(len(annotations))[:count]
    table = shown(annotations) > 0
    paths = []
    for row in np.sort(order).tolist():
        number = int(annotations.number[row])
        place = folder / f"n{int(annotations.object_class[row]):08d}" if by_class else folder
        place.mkdir(parents=True, exist_ok=True)
        there = dict(zip(SHOWN, table[row].tolist(), strict=True))
        paths.append(place / file_name_of(number))
        draw(number, there, seed=seed).save(paths[-1], format="JPEG", quality=85)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=None, help="all 46,110 if not given")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = write_stand_ins(options.folder, count=options.count, seed=options.seed)
    print(f"{len(paths):,} images in {options.folder}")


if __name__ == "__main__":
    main()

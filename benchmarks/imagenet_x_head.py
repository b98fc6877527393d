"""A network whose head is known: random weights, and a last layer fitted to four made classes.

The classes of stand-in images are disc or square, red or grey, so that theory covers three
dimensions of h, which know these two things, and no others.

    python benchmarks/imagenet_x_head.py IMAGES weights.pth --model timm:test_resnet
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from identikit.encoders.adapters import load_model
from identikit.worlds.batches import sample_batches
from identikit.worlds.image_folder import find_images
from identikit.worlds.imagenet_x import ANIMAL, load_imagenet_x, number_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="timm:test_resnet")
    parser.add_argument("--count", type=int, default=1500)
    options = parser.parse_args()
    images = find_images(options.images)
    count = min(options.count, len(images))
    model = load_model(options.model, pretrained=False, seed=1)
    tap = model.tap()
    batches = [range(k, min(k + 50, count)) for k in range(0, count, 50)]
    with torch.no_grad():
        h = torch.cat(
            [
                tap(batch.x)
                for batch in sample_batches(images, batches, transform=model.transform, workers=0)
            ]
        ).numpy()
    rows = torch.tensor([number_of(Path(key).name) for key in images.keys[:count]])
    there = load_imagenet_x().only(rows).targets()
    label = 2 * there[ANIMAL].numpy() + there["color"].numpy()
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(h, label)
    scaler, head = fitted[0], fitted[1]
    weight = head.coef_ / scaler.scale_
    bias = head.intercept_ - weight @ scaler.mean_
    state = dict(model.network.state_dict())
    state[f"{model.head}.weight"] = torch.tensor(weight, dtype=torch.float32)
    state[f"{model.head}.bias"] = torch.tensor(bias, dtype=torch.float32)
    torch.save(state, options.out)
    print(f"{np.mean(fitted.predict(h) == label):.3f} of {len(label)} images named right")


if __name__ == "__main__":
    main()

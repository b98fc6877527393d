"""ETH-80's views as factors, for the gallery: 80 objects of 8 categories from 41 sides.

    python eth80.py eth80/factors.csv views.csv

What the published "elevation" is, and which images have no azimuth: `identikit.worlds.eth80`.
"""

import sys

import pandas as pd

from identikit.worlds.eth80 import RING, without_front


def main(published: str, table: str) -> None:
    """Write the table of factors: category, object, angle from the vertical, azimuth."""
    given = pd.read_csv(published)
    angle = given["elevation"].replace(RING)
    away = [without_front(*pair) for pair in zip(given["category"], angle, strict=True)]
    pd.DataFrame(
        {
            "key": given["key"],
            "object": given["object"],
            "category": given["category"],
            "angle_from_vertical": angle,
            "azimuth": given["azimuth"].mask(pd.Series(away)).astype("Int64"),
        }
    ).to_csv(table, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

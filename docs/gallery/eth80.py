"""ETH-80's views as factors, for the gallery: 80 objects of 8 categories from 41 sides.

    python eth80.py eth80/factors.csv views.csv

The published "elevation" is the angle from the vertical: 0 is from above, 90 level with the object
(look at `cup1-000-000.jpg`). 66 and 68 are one ring of views, written in two ways. From above there
is one picture and no azimuth; apples, pears and tomatoes have no front.
"""

import sys

import pandas as pd

FRONTLESS = ("apple", "pear", "tomato")


def main(published: str, table: str) -> None:
    """Write the table of factors: category, object, angle from the vertical, azimuth."""
    given = pd.read_csv(published)
    angle = given["elevation"].replace({66: 67, 68: 67})
    frontless = given["category"].isin(FRONTLESS) | (angle == 0)
    pd.DataFrame(
        {
            "key": given["key"],
            "object": given["object"],
            "category": given["category"],
            "angle_from_vertical": angle,
            "azimuth": given["azimuth"].mask(frontless).astype("Int64"),
        }
    ).to_csv(table, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

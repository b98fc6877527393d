"""768 sentences in which noun, verb, number, tense and polarity are crossed; group is the noun.

python docs/gallery/sentences.py sentences.csv

"The dog does not sleep near the house.": 12 nouns (6 animals, 6 people) x 8 verbs x number x tense
x polarity. All end alike, so the last token by itself says nothing.
"""

import csv
import sys
from collections.abc import Iterator
from itertools import product

NOUNS = {
    "animal": (
        *(("dog", "dogs"), ("cat", "cats"), ("horse", "horses")),
        *(("bird", "birds"), ("mouse", "mice"), ("wolf", "wolves")),
    ),
    "person": (
        *(("teacher", "teachers"), ("doctor", "doctors"), ("child", "children")),
        *(("woman", "women"), ("farmer", "farmers"), ("king", "kings")),
    ),
}
VERBS = (
    *(("sleep", "slept"), ("sing", "sang"), ("eat", "ate"), ("work", "worked")),
    *(("wait", "waited"), ("walk", "walked"), ("run", "ran"), ("sit", "sat")),
)


def rows() -> Iterator[dict[str, str]]:
    """A row per sentence."""
    nouns = [(kind, *forms) for kind, words in NOUNS.items() for forms in words]
    for (kind, one, many), (base, past), number, tense, polarity in product(
        nouns,
        VERBS,
        ("singular", "plural"),
        ("present", "past"),
        ("positive", "negative"),
    ):
        singular, present = number == "singular", tense == "present"
        if polarity == "negative":
            verb = f"{('does' if singular else 'do') if present else 'did'} not {base}"
        else:
            verb = (f"{base}s" if singular else base) if present else past
        subject = one if singular else many
        yield {
            "text": f"The {subject} {verb} near the house.",
            "span": subject,
            "group": one,
            "kind": kind,
            "verb": base,
            "number": number,
            "tense": tense,
            "polarity": polarity,
        }


if __name__ == "__main__":
    table = list(rows())
    with open(sys.argv[1], "w", newline="") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)

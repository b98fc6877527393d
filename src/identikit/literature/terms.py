"""Words of a neighbourhood: key terms by TF-IDF, terms that papers share, an extractive summary.

TF-IDF: a term's count in a text times log((1 + n) / (1 + texts that have it)) + 1, each text scaled
to unit norm (scikit-learn's TfidfVectorizer). Terms are words and pairs of words; a word is not
listed after a pair that has it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from identikit.literature.paper import Neighbourhood, Paper

TERMS, SHARED, SENTENCES = 12, 24, 2
ABSTRACTS, PAPERS = 5, 3  # that weights need, and that have to share a term to filter by
_STOP = ENGLISH_STOP_WORDS | {"paper", "propose", "proposed", "results", "using", "used", "work"}


def key_terms(neighbourhood: Neighbourhood) -> tuple[str, list[tuple[str, float]]]:
    """What the abstract was weighed against, or why not; its terms and weights, heaviest first."""
    own = neighbourhood.paper.abstract
    others = [paper.abstract for paper in neighbourhood.papers[1:] if paper.abstract]
    if not own:
        return "No key terms: the abstract of this paper is not at hand.", []
    if len(others) < ABSTRACTS:
        needed = f"abstracts of at least {ABSTRACTS} neighbours, and {len(others)} are at hand"
        return f"No key terms: they need the {needed}.", []
    names, rows = _weights([own, *others])
    weights = rows[0].toarray()[0]
    chosen: dict[str, float] = {}
    for k in sorted(np.flatnonzero(weights), key=lambda k: (-weights[k], -len(names[k]))):
        if not any(names[k] in term.split() for term in chosen):
            chosen[names[k]] = float(weights[k])
    if not chosen:
        return "No key terms: the abstract holds no words to weigh.", []
    sentence = f"TF-IDF of the abstract against the abstracts of {len(others):,} neighbours."
    return sentence, list(chosen.items())[:TERMS]


def shared_terms(papers: Sequence[Paper]) -> tuple[dict[str, set[int]], Float[np.ndarray, " n"]]:
    """Terms of titles and abstracts that at least three papers share, the commonest first.

    Returns:
        Term to the numbers of the papers that have it, without words that only occur in a listed
        pair of words; and how like the first paper each is, the cosine of their TF-IDF vectors.
    """
    names, rows = _weights([f"{paper.title}. {paper.abstract}" for paper in papers])
    columns = rows.tocsc()
    counts = np.diff(columns.indptr)
    order = sorted(np.flatnonzero(counts >= PAPERS), key=lambda k: (-counts[k], -len(names[k])))
    listed: dict[str, set[int]] = {}
    for k in order:
        who = set(columns.indices[columns.indptr[k] : columns.indptr[k + 1]].tolist())
        if not any(names[k] in term.split() and who == had for term, had in listed.items()):
            listed[names[k]] = who
        if len(listed) == SHARED:
            break
    return listed, (rows @ rows[0].T).toarray()[:, 0]


def summary(abstract: str) -> tuple[str, ...]:
    """The two sentences of an abstract that are nearest to the whole of it, word for word.

    Nearest by the dot product of a sentence's TF-IDF vector with the sum of all; in their order.
    """
    sentences = re.split(r"(?<=[.!?])\s+(?=[^\W\d_a-z]|\()", abstract.strip())
    _, rows = _weights(sentences)
    near = rows @ np.asarray(rows.sum(axis=0))[0]
    chosen = sorted(np.argsort(-near, kind="stable")[:SENTENCES])
    return tuple(sentences[k] for k in chosen if sentences[k])


def _weights(texts: Sequence[str]) -> tuple[list[str], Any]:
    """The terms of some texts, and each text's unit TF-IDF vector as a row of a sparse matrix."""
    vectorizer = TfidfVectorizer(analyzer=_terms)
    try:
        rows = vectorizer.fit_transform(texts)
    except ValueError:  # no words but stop words: one term that no text has
        rows = vectorizer.set_params(vocabulary=["no words"]).fit_transform(texts)
    return vectorizer.get_feature_names_out().tolist(), rows


def _terms(text: str) -> Iterator[str]:
    """The words of a text but stop words, and the pairs of them that stand side by side."""
    for phrase in re.split(r"[^\w\s-]+", text.lower()):
        last = ""
        for word in re.findall(r"[^\W\d_][\w-]*[^\W_]", phrase):
            if word not in _STOP:
                yield from (word, f"{last} {word}") if last else (word,)
            last = "" if word in _STOP else word

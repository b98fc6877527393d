"""Scores of a classifier on held-out samples, beside their chance levels.

binary       AUC; balanced accuracy, average precision, macro F1, correlation, accuracy
categorical  balanced accuracy; one-against-rest AUC, the same others

Chance levels are those of the same predictions with the held-out labels shuffled, in closed
form: 1 / levels, the share of positives, and for macro F1 the mean over classes of
2 a b / (a + b), a and b the shares of samples named and there. Correlation is that of the classes
named and true (`measures.class_correlation`).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.factors import Factor, Kind
from identikit.probing.classifier import Classifier
from identikit.probing.default_measures import MEASURES
from identikit.probing.result import FactorScore
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Resampled, Statistic
from identikit.statistics.intervals import SHARE, of_auc, of_balanced_accuracy
from identikit.statistics.permutation import Pairing


def score_classes(
    factor: Factor,
    fit: Classifier,
    x: Float[Tensor, "n p"],
    label: Int[Tensor, " n"],
    bootstrap: Bootstrap,
) -> tuple[FactorScore, Resampled, Pairing]:
    """One factor's score, the resamples behind it and what its p-value needs.

    Args:
        factor: The factor.
        fit: Its classifier.
        x: Held-out samples in the classifier's coordinates.
        label: Their levels.
        bootstrap: Resamples of the samples.
    """
    gain = fit.gain(x)
    named = gain.argmax(dim=1)
    others: dict[str, Statistic] = {
        "macro_f1": measures.macro_f1(named, label),
        "correlation": measures.class_correlation(named, label),
    }
    chances = {"macro_f1": _chance_of_f1(named, label), "correlation": 0.0}
    levels, measure = torch.unique(label), MEASURES[factor.kind]
    if factor.kind is Kind.BINARY:
        ranked = _score(gain)
        statistic = measure.of(ranked, label)
        others |= {
            "balanced_accuracy": measures.balanced_accuracy(named, label),
            "average_precision": measures.average_precision(ranked, label),
        }
        chances |= {"balanced_accuracy": 0.5, "average_precision": label.double().mean().item()}
        pairing = Pairing(u=measures.ranks(ranked)[:, None], v=label[:, None].double())
    else:
        statistic = measure.of(named, label)
        posterior = fit.log_posterior(x)
        one = [measures.auc(posterior[:, c], (label == c).long()) for c in levels.tolist()]
        others["auc"] = Statistic(
            lambda weights: torch.stack([each(weights) for each in one]).mean(dim=0), SHARE
        )
        chances["auc"] = 0.5
        u, v = torch.nn.functional.one_hot(torch.stack([named, label])).double()
        pairing = Pairing(u=u, v=v / v.sum(dim=0).clamp(min=1))
    extras = {name: bootstrap.value(each).item() for name, each in others.items()}
    resampled = bootstrap.resampled(statistic)
    groups = bootstrap.independent(label)
    if factor.kind is Kind.BINARY:
        rarer = float(groups.min())
        estimate = of_auc(resampled.value.item(), resampled.draws[:, 0], rarer=rarer)
    else:
        estimate = _balanced(
            named == label, label, groups, resampled, alone=bootstrap.n_groups == bootstrap.n
        )
    score = FactorScore(
        name=factor.name,
        kind=factor.kind,
        measure=measure.name,
        estimate=estimate,
        chance=measure.chance(len(levels)),
        extras=extras | {"accuracy": (named == label).double().mean().item()},
        chances=chances,
        effective_n=int(groups.min()),
    )
    return score, resampled, pairing


def _balanced(
    hit: Tensor, label: Tensor, groups: Tensor, resampled: Resampled, *, alone: bool
) -> Estimate:
    """The interval of the mean share of hits, with counts that dependence within groups lessens.

    Args:
        hit: Which samples are named rightly.
        label: Their levels.
        groups: How many groups hold each level.
        resampled: The mean share of hits, groups drawn anew.
        alone: Whether every sample is a group of its own.
    """
    member = torch.nn.functional.one_hot(torch.unique(label, return_inverse=True)[1]).double()
    count = member.sum(dim=0)
    recall = (hit.double() @ member) / count
    if alone:
        return of_balanced_accuracy(recall, count)
    apart = (recall * (1 - recall) / count).sum() / len(count) ** 2
    if apart == 0:
        return of_balanced_accuracy(recall, groups.double())
    draws = resampled.draws[~resampled.draws.isnan()]
    fewer = count * (apart / draws.var()).clamp(max=1.0)
    return of_balanced_accuracy(recall, fewer.clamp(min=1.0))


def _score(gain: Tensor) -> Tensor:
    """By how much the second level is preferred; levels that training lacks never are."""
    return torch.nan_to_num(gain[:, 1] - gain[:, 0])


def _chance_of_f1(named: Tensor, label: Tensor) -> float:
    count = int(torch.maximum(named, label).max()) + 1
    a, b = (torch.bincount(x, minlength=count).double() / len(label) for x in (named, label))
    there = a + b > 0
    return (2 * a * b / (a + b))[there].mean().item()

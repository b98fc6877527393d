"""The cluster-centric world: label i -> class C(i) -> centre v -> z ~ p(z|v) -> x = g(z).

Source: arXiv:2410.21869, section 3 (the data-generating process) and 4.1 (its simulation).
Swapped labels, mixtures and unbalanced labels are the violations that its reviewers asked
for, symmetric label noise is its appendix D's; all but unbalanced labels only change
p(component | class), the `mixing` matrix.
Shapes: z (n, d), x (n, D) or images (n, c, h, w), labels (n,), densities (n, C).
"""

import copy
import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize, pad

from identikit.core.errors import InputError, unknown_name
from identikit.core.randomness import stream
from identikit.worlds.clusters import draw_cluster_vectors
from identikit.worlds.conditionals import Conditional
from identikit.worlds.config import CONDITIONALS, GENERATORS, WorldConfig
from identikit.worlds.generators import Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSample:
    """n draws from a world."""

    x: Float[Tensor, "n ..."]
    """Observations, float32: vectors (n, D) or images (n, c, h, w) from 0 to 1."""
    z: Float[Tensor, "n d"]
    """Latents, float32."""
    label: Int[Tensor, " n"]
    """Labels i, from 0 to N - 1."""

    @property
    def vectors(self) -> Float[Tensor, "n D"]:
        """What the identity baseline reads: x as it is, of images the means of 2 x 2 pixels.

        All 3,072 pixels of a room would cost more to read out than the network to train.
        """
        return self.x if self.x.ndim == 2 else avg_pool2d(self.x, 2).flatten(1)


class ClusterWorld:
    """A world in which every distribution is known.

    Args:
        config: What it is made of.
        labels: Number of labels N: C for supervised learning (as without), more for DIET, where
            label i is an instance of class i mod C (the last ones of class 0 by
            `repeated_share`).
        seed: Everything random follows from (config, labels, seed), each part from its own
            stream.

    Raises:
        InputError: fewer labels than classes, or a repeated share that leaves fewer.
    """

    def __init__(self, config: WorldConfig, *, labels: int | None = None, seed: int = 0) -> None:
        labels = config.classes if labels is None else labels
        if labels < config.classes:
            raise InputError(
                f"labels must be at least the number of classes ({config.classes}); got {labels}."
            )
        self.config, self.dim, self.seed = config, config.dim, seed
        self._samples: torch.Generator | None = None
        self.n_labels, self.n_classes = labels, config.classes
        self.class_of_label: Int[Tensor, " N"] = torch.arange(labels) % config.classes
        distinct = labels - round(config.repeated_share * labels)
        if distinct < config.classes:
            raise InputError(
                f"repeated_share must leave a label for each of {config.classes} classes; got "
                f"{config.repeated_share:g} of {labels} labels. Lower it, or take more instances."
            )
        self.class_of_label[distinct:] = 0
        rank = torch.arange(1, labels + 1, dtype=torch.float64)
        weight = rank.pow(-config.label_exponent)
        self.label_prior: Float[Tensor, " N"] = weight / weight.sum()
        prior = torch.zeros(config.classes, dtype=torch.float64)
        self.class_prior: Float[Tensor, " C"] = prior.index_add(
            0, self.class_of_label, self.label_prior
        )
        centres = draw_cluster_vectors(config, generator=stream(seed, "cluster vectors"))
        self.conditional = _conditional(config, centres, generator=stream(seed, "covariance"))
        mean = centres.reshape(config.classes, config.components, config.dim).mean(1)
        several = config.components > 1 and self.conditional.spherical
        self.class_vectors: Float[Tensor, "C d"] = normalize(mean) if several else mean
        """v_c; for several components their mean, of unit norm if the latents are."""
        self.swapped: Int[Tensor, " S"] = _swapped_classes(config, stream(seed, "swapped classes"))
        """The classes that swap labels."""
        self.generator = _generator(config, generator=stream(seed, "generator"))

    @property
    def device(self) -> torch.device:
        """Where samples are drawn and densities computed."""
        return self.class_vectors.device

    @property
    def mixing(self) -> Float[Tensor, "C K"]:
        """p(component | class); component k belongs to class k // components."""
        share, m = self.config.swapped_share, self.config.components
        between = torch.eye(self.n_classes, dtype=torch.float64, device=self.device)
        count = len(self.swapped)
        if count:
            own = torch.eye(count, dtype=torch.float64, device=self.device)
            block = (1 - share) * own + share / (count - 1) * (1 - own)
            between[self.swapped[:, None], self.swapped] = block
        noise = self.config.label_noise
        between = (1 - noise) * between + noise * (self.class_prior @ between)
        return between.repeat_interleave(m, dim=1) / m

    def to(self, device: torch.device | str) -> "ClusterWorld":
        """The same world on another device."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        moved.conditional = self.conditional.to(device)
        moved.generator = self.generator.to(device)
        moved._samples = None
        return moved

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> WorldSample:
        """Labels from their prior, each with a fresh latent and its observation.

        Args:
            n: How many.
            generator: On the world's device; if not given the world's own, which goes on from
                call to call, so that no two samples are the same.
        """
        generator = self._own(generator)
        return self._draw(self._draw_labels(n, generator), generator)

    def sample_pairs(
        self,
        n: int,
        *,
        same: Literal["label", "class"] = "label",
        generator: torch.Generator | None = None,
    ) -> tuple[WorldSample, WorldSample]:
        """Positive pairs: row i of both samples has the same label, each with a latent of its own.

        Args:
            n: How many pairs.
            same: What the two share: the label (in a world of instances, two views of one
                instance), or only its class, where the second's label is drawn among those of
                the first's class, by their prior.
            generator: As for `sample`.

        Raises:
            InputError: something else to share.
        """
        if same not in ("label", "class"):
            raise unknown_name("same", same, ("label", "class"))
        generator = self._own(generator)
        label = self._draw_labels(n, generator)
        other = label if same == "label" else self._draw_within_class(label, generator)
        return self._draw(label, generator), self._draw(other, generator)

    def _own(self, generator: torch.Generator | None) -> torch.Generator:
        if generator is not None:
            return generator
        if self._samples is None:
            self._samples = stream(self.seed, "samples", device=self.device)
        return self._samples

    def _draw(self, label: Int[Tensor, " n"], generator: torch.Generator) -> WorldSample:
        n = len(label)
        of_class = self.class_of_label.index_select(0, self._true(label, generator))
        source = self._draw_sources(of_class, generator)
        if self.config.components > 1:
            source = source * self.config.components + self._randint(
                self.config.components, n, generator
            )
        z = self.conditional.sample(source, generator=generator)
        return WorldSample(x=self.generator(z), z=z, label=label)

    def log_likelihood(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n C"]:
        """Log p(z | class), float64."""
        own = self.conditional.log_density(z)
        if self.config.components > 1:
            parts = own.reshape(len(z), self.n_classes, self.config.components)
            own = torch.logsumexp(parts, dim=2) - math.log(self.config.components)
        if len(self.swapped):
            share, some = self.config.swapped_share, own[:, self.swapped]
            others = _logsumexp_of_others(some) - math.log(len(self.swapped) - 1)
            stay = torch.tensor(1 - share, dtype=own.dtype, device=own.device).log()
            own[:, self.swapped] = torch.logaddexp(stay + some, math.log(share) + others)
        if self.config.label_noise:
            noise = torch.tensor(self.config.label_noise, dtype=own.dtype, device=own.device)
            any_label = torch.logsumexp(own + self.class_prior.log(), dim=1, keepdim=True)
            own = torch.logaddexp((1 - noise).log() + own, noise.log() + any_label)
        return own

    def log_posterior(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n C"]:
        """Log p(class | z) under the class prior, float64."""
        return torch.log_softmax(self.log_likelihood(z) + self.class_prior.log(), dim=1)

    def _draw_labels(self, n: int, generator: torch.Generator) -> Int[Tensor, " n"]:
        if self.config.label_exponent == 0:
            return self._randint(self.n_labels, n, generator)
        u = torch.rand(n, generator=generator, device=self.device, dtype=torch.float64)
        return torch.searchsorted(self.label_prior.cumsum(0), u).clamp_(max=self.n_labels - 1)

    def _draw_within_class(
        self, label: Int[Tensor, " n"], generator: torch.Generator
    ) -> Int[Tensor, " n"]:
        """A label of the same class each, by the prior: inverts its distribution by class."""
        order = torch.argsort(self.class_of_label, stable=True)
        cumulative = self.label_prior[order].cumsum(0)
        ends = self.class_prior.cumsum(0)
        count = torch.bincount(self.class_of_label, minlength=self.n_classes)
        last = count.cumsum(0) - 1
        own = self.class_of_label[label]
        u = torch.rand(len(label), generator=generator, device=self.device, dtype=torch.float64)
        at = torch.searchsorted(cumulative, ends[own] - u * self.class_prior[own])
        return order[torch.minimum(torch.maximum(at, (last - count + 1)[own]), last[own])]

    def _true(self, label: Int[Tensor, " n"], generator: torch.Generator) -> Int[Tensor, " n"]:
        """The label before noise: independent of the one that is seen in a share of draws."""
        if not self.config.label_noise:
            return label
        u = torch.rand(len(label), generator=generator, device=self.device)
        other = self._draw_labels(len(label), generator)
        return torch.where(u < self.config.label_noise, other, label)

    def _draw_sources(
        self, of_class: Int[Tensor, " n"], generator: torch.Generator
    ) -> Int[Tensor, " n"]:
        """The class that each latent comes from: another swapped one in a share of draws."""
        count = len(self.swapped)
        if not count:
            return of_class
        place = torch.full((self.n_classes,), -1, device=self.device)
        place[self.swapped] = torch.arange(count, device=self.device)
        u = torch.rand(len(of_class), generator=generator, device=self.device)
        step = 1 + self._randint(count - 1, len(of_class), generator)
        other = self.swapped[(place[of_class] + step) % count]
        moves = (place[of_class] >= 0) & (u < self.config.swapped_share)
        return torch.where(moves, other, of_class)

    def _randint(self, high: int, n: int, generator: torch.Generator) -> Int[Tensor, " n"]:
        return torch.randint(high, (n,), generator=generator, device=self.device)


def _conditional(
    config: WorldConfig, centres: Float[Tensor, "K d"], *, generator: torch.Generator
) -> Conditional:
    choice = CONDITIONALS[config.conditional]
    drawn = {"classes": config.classes, "generator": generator} if choice.drawn else {}
    made: Conditional = choice.make(config, centres, **drawn)
    return made


def _generator(config: WorldConfig, *, generator: torch.Generator) -> Generator:
    choice = GENERATORS[config.generator]
    made: Generator = choice.make(
        config, config.dim, **({"generator": generator} if choice.drawn else {})
    )
    return made


def _swapped_classes(config: WorldConfig, generator: torch.Generator) -> Int[Tensor, " S"]:
    if config.swapped_share == 0:
        return torch.empty(0, dtype=torch.long)
    order = torch.randperm(config.classes, generator=generator)
    return order[: config.swapped_classes or config.classes]


def _logsumexp_of_others(a: Float[Tensor, "n S"]) -> Float[Tensor, "n S"]:
    """For each column the logsumexp of all others, from running sums on either side."""
    before = pad(torch.logcumsumexp(a, 1)[:, :-1], (1, 0), value=-math.inf)
    after = pad(torch.logcumsumexp(a.flip(1), 1).flip(1)[:, 1:], (0, 1), value=-math.inf)
    return torch.logaddexp(before, after)

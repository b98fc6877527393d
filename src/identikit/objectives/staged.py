"""Cross-entropy that starts easier than it ends: extra dimensions, walks, no sphere, shared rows.

h = Q'y, logits of label i: w_g(i) . h + v_i . h. Parts of one training, each starting where the
last one stood, and the last minimises the cross-entropy of `head` over all labels:

1. y has extra dimensions beside the d of h, and all of them count. With exactly d, h can settle
   on d - 1 latents and some other function of them, a valley from which no small step leads out;
   with extra ones the missing latent is simply taken up as well.
2. h is d-dimensional: Q' projects y onto the directions in which the logits have most variance,
   the best approximation of rank d of the logits so far (Eckart and Young).
3. If asked for, labels first take walks between classes that look alike (see `walk`), long ones and
   then single steps, so that h = Q'y is laid out over the whole world before its details; and Q is
   chosen for the logits of the long walks, since those of the model know neighbours only.
4. A unit-norm head becomes one (see `sphere`).
5. Rows of labels that look alike (see `alike`) are no longer shared. Until then the shared row of
   n labels has the log-probability w . h + log n of all of them together, which is exactly the
   softmax over labels with equal rows.

Shapes: y (n, m), m = d + extra; h (n, d); rows (labels, d), shared ones (groups, d).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from identikit.core.linalg import centred, least_squares
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.objectives.label_clustering import LabelClusters
from identikit.objectives.label_diffusion import LabelDiffusion
from identikit.objectives.sphere import LateSphereHead

MEET = 0.3
"""Share of training after which it is counted which labels look alike, until folding."""
FOLD = 0.4
"""Share of training after which h has its own number of dimensions."""
LONG_WALKS, WALKS = 0.6, 0.7
"""Shares of training at which the long walks and the single steps of labels end."""
OWN = 0.01
"""What a label's own part is multiplied by: its rate, as a share of the shared row's."""


def build_head(
    config: HeadConfig,
    n_labels: int,
    dim: int,
    *,
    generator: torch.Generator,
    label_prior: Float[Tensor, " labels"] | None = None,
    label_clusters: LabelClusters | None = None,
) -> SoftmaxHead:
    """The head that a config asks for; arguments as for `StagedHead`."""
    if config.extra_dimensions or config.label_diffusion or label_clusters is not None:
        return StagedHead(
            config,
            n_labels,
            dim,
            generator=generator,
            label_prior=label_prior,
            label_clusters=label_clusters,
        )
    late = config.normalized and config.late_sphere
    kind = LateSphereHead if late else SoftmaxHead
    return kind(config, n_labels, dim, generator=generator, label_prior=label_prior)


class StagedHead(LateSphereHead):
    """A head with extra dimensions, labels that walk and, given groups of them, shared rows.

    Args:
        config: As for `SoftmaxHead`, and the stages.
        n_labels: Number of labels.
        dim: Dimensions of h at the end; the encoder has `config.extra_dimensions` more.
        generator: Draws the initial rows.
        label_prior: Probability of each label; uniform if not given.
        label_clusters: Labels that share a row at first, if any.
    """

    folded: Tensor
    group: Tensor
    log_count: Tensor

    def __init__(
        self,
        config: HeadConfig,
        n_labels: int,
        dim: int,
        *,
        generator: torch.Generator,
        label_prior: Float[Tensor, " labels"] | None = None,
        label_clusters: LabelClusters | None = None,
    ) -> None:
        super().__init__(config, n_labels, dim, generator=generator, label_prior=label_prior)
        self.label_clusters = label_clusters
        found = None if label_clusters is None else label_clusters.group
        group = None if found is None else found.cpu()
        count = torch.ones(n_labels) if group is None else torch.bincount(group)
        wide = torch.empty(len(count), dim + config.extra_dimensions, device=generator.device)
        bound = wide.shape[1] ** -0.5
        self.wide = nn.Parameter(wide.uniform_(-bound, bound, generator=generator))
        self.tied = group is not None
        if group is not None:
            self.shared = nn.Parameter(wide.new_zeros(len(count), dim))
            nn.init.zeros_(self.weight)
            self.register_buffer("group", group)
            self.register_buffer("log_count", count.log().to(wide))
        self.register_buffer("fold", wide.new_zeros(dim + config.extra_dimensions, dim))
        self.register_buffer("folded", torch.tensor(False, device=generator.device))
        self.label_diffusion = LabelDiffusion(n_labels).to(wide) if config.label_diffusion else None

    def rows(self) -> Float[Tensor, "labels d_h"]:
        """The rows of all labels, as wide as the features are at this point of training."""
        return self._normalise(self._by_label(self._rows()))

    def loss(
        self,
        y: Float[Tensor, "n m"],
        label: Int[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy over labels, of the stage that this progress belongs to."""
        if progress >= FOLD and not self.folded:
            self._fold(y.detach())
        self._map_when_due(y, progress)
        h = self.features(y)
        if self.label_diffusion is not None and MEET <= progress < FOLD:
            self.label_diffusion.meet(self.logits(h))
        if self.label_diffusion is not None and FOLD <= progress < WALKS:
            steps = self.config.label_diffusion if progress < LONG_WALKS else 1
            return self.label_diffusion.cross_entropy(self.logits(h), label, steps=steps)
        if self.tied and (progress < self.config.untie_at or self.config.untie_at == 1):
            group = self.group[label]
            of_group = self._full_cross_entropy(h, self._rows(), group, self.log_count)
            return of_group + self.log_count[group].mean()
        return self._cross_entropy(h, self._by_label(self._rows()), label, generator=generator)

    def _rows(self) -> Tensor:
        """Rows of groups if there are any, of labels if not."""
        if not self.folded:
            return self.wide
        return self.shared if self.tied else self.weight

    def _by_label(self, rows: Tensor) -> Tensor:
        if not self.tied:
            return rows
        rows = rows.index_select(0, self.group)
        return rows + OWN * self.weight if self.folded else rows

    def _linear(self, y: Tensor) -> Tensor:
        """Y without its extra dimensions, once they are folded away."""
        return y @ self.fold if self.folded else y

    def _turned_rows(self) -> list[Tensor]:
        return [self.shared, self.weight] if self.tied else [self.weight]

    def _walked_rows(self, h: Tensor) -> Tensor:
        """Rows whose logits are nearest the log-probabilities of where the labels walk to."""
        assert self.label_diffusion is not None
        q = torch.softmax(self.logits(h.to(self.wide)), 1)
        p = q @ self.label_diffusion.targets(self.config.label_diffusion)
        return least_squares(h, p.double().clamp(min=1e-12).log()).coefficient.T

    @torch.no_grad()
    def _fold(self, y: Tensor) -> None:
        """Go over to the best d of the m dimensions, by the variance of logits in this batch.

        Where labels are about to walk, the logits are theirs.
        """
        h = y.double()
        rows = self.wide.double() if self.label_diffusion is None else self._walked_rows(h)
        values, vectors = torch.linalg.eigh(torch.cov(h.T))
        spread = values.clamp(min=1e-10 * float(values[-1])).sqrt()
        root, inverse = (vectors * s @ vectors.T for s in (spread, 1 / spread))
        logits = centred(rows) @ root
        top = torch.linalg.svd(logits)[2][: self.fold.shape[1]].T
        project = torch.linalg.qr(inverse @ top).Q
        (self.shared if self.tied else self.weight).copy_(logits @ top @ top.T @ inverse @ project)
        self.fold.copy_(project)
        self.folded.fill_(True)

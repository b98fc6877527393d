"""Cross-entropy that starts easier than it ends: extra dimensions, walks, no sphere, shared rows.

h = Q'y, logits of label i: w_g(i) . h + v_i . h. Parts of one training, each starting where the
last one stood, and the last minimises the cross-entropy of `head` over all labels:

1. y has extra dimensions beside the d of h, and all of them count. With exactly d, h can settle
   on d - 1 latents and some other function of them, a valley from which no small step leads out;
   with extra ones the missing latent is simply taken up as well.
2. h is d-dimensional: Q' projects y onto the directions in which the logits have most variance,
   the best approximation of rank d of the logits so far (Eckart and Young).
3. If asked for, labels first take walks between classes that look alike (`label_diffusion`), long
   ones and then single steps, so that h = Q'y is laid out over the whole world before its details;
   and Q is chosen for the logits of the long walks, since those of the model know neighbours only.
4. A head of unit norm becomes one (`sphere`); until then it is free.
5. Rows of labels that look alike (`label_clustering`) are no longer shared. Until then the shared
   row of n labels has the log-probability w . h + log n of all of them together, which is exactly
   the softmax over labels with equal rows.

Shapes: y (n, m), m = d + extra; h (n, d); rows (labels, d), shared ones (groups, d).
"""

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.linalg import centred, least_squares
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import Head, SoftmaxHead, full_cross_entropy
from identikit.objectives.label_clustering import LabelClusters
from identikit.objectives.label_diffusion import LabelDiffusion
from identikit.objectives.sphere import frame_on_sphere

MEET = 0.3
"""Share of training after which it is counted which labels look alike, until folding."""
FOLD = 0.4
"""Share of training after which h has its own number of dimensions."""
LONG_WALKS, WALKS = 0.6, 0.7
"""Shares of training at which the long walks and the single steps of labels end."""
MAP = 0.8
"""Share of training after which a head of unit norm is one."""
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
) -> Head:
    """The head that a config asks for, with a curriculum if it asks for any.

    Args:
        config: Of head and curriculum.
        n_labels: Number of labels.
        dim: Dimensions of h at the end; the encoder has `config.extra_dimensions` more.
        generator: Draws the initial rows.
        label_prior: Probability of each label; uniform if not given.
        label_clusters: Labels that share a row at first, if any.
    """
    head = SoftmaxHead(config, n_labels, dim, generator=generator, label_prior=label_prior)
    folds = config.extra_dimensions or config.label_diffusion or label_clusters is not None
    if not folds and not (config.unit_norm and config.late_sphere):
        return head
    return Curriculum(head, generator=generator if folds else None, label_clusters=label_clusters)


@final
class Curriculum(Head):
    """Easier losses on the way to that of a head: the stages that its config asks for.

    Args:
        head: What training ends with.
        generator: Draws the rows that are there until folding; None: nothing is to be folded.
        label_clusters: Labels that share a row at first, if any.
    """

    fold: Tensor
    folded: Tensor
    mapped: Tensor
    group: Tensor
    log_count: Tensor

    def __init__(
        self,
        head: SoftmaxHead,
        *,
        generator: torch.Generator | None,
        label_clusters: LabelClusters | None = None,
    ) -> None:
        super().__init__()
        self.head, self.config, self.label_clusters = head, head.config, label_clusters
        n_labels, dim = head.weight.shape
        found = None if label_clusters is None else label_clusters.group
        group = None if found is None else found.cpu()
        count = torch.ones(n_labels) if group is None else torch.bincount(group)
        self.tied = group is not None
        self.wide: nn.Parameter | None = None
        if generator is not None:
            wide = head.weight.new_empty(len(count), dim + self.config.extra_dimensions)
            bound = wide.shape[1] ** -0.5
            self.wide = nn.Parameter(wide.uniform_(-bound, bound, generator=generator))
        if group is not None:
            self.shared = nn.Parameter(head.weight.new_zeros(len(count), dim))
            nn.init.zeros_(head.weight)
            self.register_buffer("group", group)
            self.register_buffer("log_count", count.log().to(head.weight))
        device, late = head.weight.device, self.config.unit_norm and self.config.late_sphere
        self.register_buffer("fold", torch.eye(dim + self.config.extra_dimensions, dim).to(device))
        self.register_buffer("folded", torch.tensor(False, device=device))
        self.register_buffer("mapped", torch.tensor(not late, device=device))
        walks = self.config.label_diffusion > 0
        self.label_diffusion = LabelDiffusion(n_labels).to(device) if walks else None

    @property
    def on_sphere(self) -> bool:
        """Whether what is to have unit norm has it at this point of training."""
        return self.config.unit_norm and bool(self.mapped)

    @property
    def unit_rows(self) -> bool:
        """Whether rows have unit norm at this point of training."""
        return self.config.unit_rows and self.on_sphere

    @property
    def scale(self) -> Float[Tensor, ""]:
        """The inverse temperature at this point of training."""
        return self.head.scale if self.on_sphere else self.fold.new_ones(())

    def rows(self) -> Float[Tensor, "labels d_h"]:
        """The rows of all labels, as wide as the features are at this point of training."""
        rows = self._by_label(self._rows())
        return F.normalize(rows, dim=1) if self.unit_rows else rows

    def features(self, y: Float[Tensor, "n m"]) -> Float[Tensor, "n d_h"]:
        """The representation h that the logits are made of at this point of training."""
        h = self._linear(y)
        return self.head.features(h) if self.on_sphere else h

    def length_penalty(self, y: Float[Tensor, "n m"]) -> Float[Tensor, ""]:
        """That of the head, of h before it is normalised; none until the head has unit norm."""
        return self.head.length_penalty(self._linear(y)) if self.on_sphere else y.new_zeros(())

    def loss(
        self,
        y: Float[Tensor, "n m"],
        label: Int[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy over labels, of the stage that this progress belongs to."""
        if progress >= FOLD and not self.folded and self.wide is not None:
            self._fold(y.detach(), self.wide)
        if progress >= MAP and not self.mapped:
            self._map_to_sphere(y.detach())
        h = self.features(y)
        if self.label_diffusion is not None and MEET <= progress < FOLD:
            self.label_diffusion.meet(self.logits(h))
        if self.label_diffusion is not None and FOLD <= progress < WALKS:
            steps = self.config.label_diffusion if progress < LONG_WALKS else 1
            return self.label_diffusion.cross_entropy(self.logits(h), label, steps=steps)
        rows, scale = self._rows(), self.scale if self.unit_rows else None
        if self.tied and (progress < self.config.untie_at or self.config.untie_at == 1):
            group = self.group[label]
            of_group = full_cross_entropy(h, rows, group, scale=scale, offset=self.log_count)
            return of_group + self.log_count[group].mean()
        rows = self._by_label(rows)
        return self.head.cross_entropy(h, rows, label, scale=scale, generator=generator)

    def _rows(self) -> Tensor:
        """Rows of groups if there are any, of labels if not."""
        if self.wide is not None and not self.folded:
            return self.wide
        return self._final_rows

    @property
    def _final_rows(self) -> nn.Parameter:
        return self.shared if self.tied else self.head.weight

    def _by_label(self, rows: Tensor) -> Tensor:
        if not self.tied:
            return rows
        rows = rows.index_select(0, self.group)
        return rows + OWN * self.head.weight if self.folded else rows

    def _linear(self, y: Tensor) -> Tensor:
        """The linear map from the encoder's outputs to h, once there is one."""
        return y @ self.fold if self.folded else y

    @torch.no_grad()
    def _map_to_sphere(self, y: Tensor) -> None:
        """Give unit norm to what is to have it, changing what both say as little as can be."""
        features, rows = self.config.unit_features, self.config.unit_rows
        frame, turned, length = frame_on_sphere(
            self._linear(y), self._final_rows, unit_features=features, unit_rows=rows
        )
        self._final_rows.copy_(turned)
        if self.tied:
            own = torch.linalg.solve(frame, self.head.weight.double().T).T
            self.head.weight.copy_(own / length)
        if features and rows:
            self.head.log_scale.copy_(length.log())
        else:
            frame = frame * length
        self.fold.copy_(self.fold.double() @ frame)
        self.folded.fill_(True)
        self.mapped.fill_(True)

    def _walked_rows(self, h: Tensor) -> Tensor:
        """Rows whose logits are nearest the log-probabilities of where the labels walk to."""
        assert self.label_diffusion is not None
        q = torch.softmax(self.logits(h.to(self.fold)), 1)
        p = q @ self.label_diffusion.targets(self.config.label_diffusion)
        return least_squares(h, p.double().clamp(min=1e-12).log()).coefficient.T

    @torch.no_grad()
    def _fold(self, y: Tensor, wide: Tensor) -> None:
        """Go over to the best d of the m dimensions, by the variance of logits in this batch.

        Where labels are about to walk, the logits are theirs.
        """
        h = y.double()
        rows = wide.double() if self.label_diffusion is None else self._walked_rows(h)
        values, vectors = torch.linalg.eigh(torch.cov(h.T))
        spread = values.clamp(min=1e-10 * float(values[-1])).sqrt()
        root, inverse = (vectors * s @ vectors.T for s in (spread, 1 / spread))
        logits = centred(rows) @ root
        few = len(logits) < logits.shape[1]  # else left vectors would be labels x labels
        top = torch.linalg.svd(logits, full_matrices=few)[2][: self.fold.shape[1]].T
        project = torch.linalg.qr(inverse @ top).Q
        self._final_rows.copy_(logits @ top @ top.T @ inverse @ project)
        self.fold.copy_(project)
        self.folded.fill_(True)

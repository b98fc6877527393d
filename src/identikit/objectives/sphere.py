"""A unit-norm head that starts free: the sphere comes when an affine map is found.

A free head has to find h = A z for any A, a unit-norm one a rotation, with nothing gained on the
way. In a spherical world the free optimum has rows A'^-1 v + c: the linear map that takes h
nearest the unit sphere, and the shift that puts the mapped rows nearest one (it changes no
difference of logits), lead to the unit-norm optimum. From there training ends on the
cross-entropy of a unit-norm head. Shapes: y and h (n, d), rows (labels, d).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.linalg import sphere_centre, spherical_frame, whitening
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead

MAP = 0.8
"""Share of training after which a unit-norm head is one."""
LEAST = 0.1
"""Squared length that a direction of whitened h keeps on its way to the sphere, as a share of the
longest, at least: what is not yet near an ellipsoid must not be blown up."""


class LateSphereHead(SoftmaxHead):
    """A head whose features and rows move to the unit sphere late, if its config asks for it."""

    mapped: Tensor
    fold: Tensor

    def __init__(
        self,
        config: HeadConfig,
        n_labels: int,
        dim: int,
        *,
        generator: torch.Generator,
        label_prior: Float[Tensor, " labels"] | None = None,
    ) -> None:
        super().__init__(config, n_labels, dim, generator=generator, label_prior=label_prior)
        device = generator.device
        free = config.normalized and config.late_sphere
        self.register_buffer("mapped", torch.tensor(not free, device=device))
        self.register_buffer("fold", torch.eye(dim, device=device))

    @property
    def on_sphere(self) -> bool:
        """Whether features and rows have unit norm at this point of training."""
        return self.config.normalized and bool(self.mapped)

    def features(self, y: Float[Tensor, "n m"]) -> Float[Tensor, "n d_h"]:
        """The representation h that the logits are made of at this point of training."""
        return super().features(self._linear(y))

    def length_penalty(self, y: Float[Tensor, "n m"]) -> Float[Tensor, ""]:
        """As for `SoftmaxHead`, of h before it is normalised."""
        return super().length_penalty(self._linear(y))

    def loss(
        self,
        y: Float[Tensor, "n m"],
        label: Int[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy; from `MAP` on that of a unit-norm head, if it is to be one."""
        self._map_when_due(y, progress)
        return super().loss(y, label, generator=generator, progress=progress)

    def _map_when_due(self, y: Tensor, progress: float) -> None:
        if progress >= MAP and not self.mapped:
            self._map_to_sphere(y.detach())
            self.mapped.fill_(True)

    def _linear(self, y: Tensor) -> Tensor:
        """The linear map from the encoder's outputs to h."""
        return y @ self.fold if self.on_sphere else y

    def _turned_rows(self) -> list[Tensor]:
        """The rows, and after them what is added to rows."""
        return [self.weight]

    @torch.no_grad()
    def _map_to_sphere(self, y: Tensor) -> None:
        """Take features and rows to the unit sphere, changing what they say as little as can be."""
        h = self._linear(y).double()
        whiten = whitening(h.T @ h / len(h))
        frame = whiten @ spherical_frame(h @ whiten, least=LEAST)
        rows, *parts = self._turned_rows()
        turned = torch.linalg.solve(frame, rows.double().T).T
        turned = turned - sphere_centre(turned)
        length = turned.norm(dim=1).mean()
        rows.copy_(turned / length)
        for part in parts:
            part.copy_(torch.linalg.solve(frame, part.double().T).T / length)
        self.log_scale.copy_(length.log())
        self.fold.copy_(self.fold.double() @ frame)

"""Labels that walk between classes that look alike, against walks that are drawn."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from identikit.objectives.config import HeadConfig
from identikit.objectives.curriculum import FOLD, LONG_WALKS, MEET, WALKS, Curriculum, build_head
from identikit.objectives.label_diffusion import LabelDiffusion

LABELS = 6


def logits(n: int = 400) -> Tensor:
    return 2 * torch.randn(n, LABELS, generator=torch.Generator().manual_seed(0))


def met(*batches: Tensor) -> LabelDiffusion:
    walk = LabelDiffusion(LABELS)
    for batch in batches:
        walk.meet(batch)
    return walk


def test_a_step_goes_to_an_observation_of_the_label_and_on_to_a_label_of_it() -> None:
    """By chance, a hundred thousand times, against the matrix."""
    q = torch.softmax(logits(), 1)
    generator = torch.Generator().manual_seed(1)
    observation = torch.multinomial(q[:, 2], 100_000, replacement=True, generator=generator)
    end = torch.multinomial(q[observation], 1, generator=generator).flatten()
    share = torch.bincount(end, minlength=LABELS) / len(end)
    torch.testing.assert_close(met(logits()).targets(1)[2], share, atol=0.01, rtol=0)


def test_batches_add_up_and_steps_follow_each_other() -> None:
    walk = met(*logits().split(100))
    torch.testing.assert_close(walk.targets(1), met(logits()).targets(1))
    once = walk.targets(1)
    torch.testing.assert_close(walk.targets(3), once @ once @ once)
    before = walk.targets(3)
    walk.meet(logits()[:50])
    assert not torch.equal(walk.targets(3), before)


def test_labels_that_met_none_stay() -> None:
    torch.testing.assert_close(LabelDiffusion(LABELS).targets(3), torch.eye(LABELS))


def test_the_loss_is_that_of_walked_labels() -> None:
    walk, label = met(logits()), torch.arange(400) % LABELS
    expected = F.cross_entropy(logits(), walk.targets(2)[label])
    torch.testing.assert_close(walk.cross_entropy(logits(), label, steps=2), expected)


def test_a_walk_lowers_the_concentration_of_a_world_on_the_circle() -> None:
    """The more steps, the nearer the log-ratio of targets to kappa cos at a lower kappa."""
    angle = torch.arange(48) * 2 * torch.pi / 48
    z = torch.arange(4_800) * 2 * torch.pi / 4_800
    kappa = 30.0
    walk = LabelDiffusion(48)
    walk.meet(kappa * torch.cos(z[:, None] - angle))
    for steps in (1, 3):
        target = walk.targets(steps)[0].log()
        found = float((target[0] - target[12]) / (1 - torch.cos(angle[12])))
        assert found == pytest.approx(kappa / (2 * steps), rel=0.25)


def test_a_curriculum_takes_long_walks_single_steps_and_none() -> None:
    generator = torch.Generator().manual_seed(3)
    config = HeadConfig(negatives=None, extra_dimensions=2, label_diffusion=3)
    head = build_head(config, LABELS, 3, generator=generator)
    y, label = torch.randn(400, 5, generator=generator), torch.arange(400) % LABELS

    def loss(progress: float) -> tuple[Tensor, Tensor]:
        found = head.loss(y, label, generator=generator, progress=progress)
        return found, head.logits(head.features(y))

    walk = LabelDiffusion(LABELS)
    for progress in (MEET - 0.01, MEET, FOLD - 0.01):
        found, wide = loss(progress)
        torch.testing.assert_close(found, F.cross_entropy(wide, label))
    walk.meet(wide)  # as often as it likes: all that counts is in which proportion
    for progress, steps in ((FOLD, 3), (LONG_WALKS - 0.01, 3), (LONG_WALKS, 1), (WALKS - 0.01, 1)):
        found, logits = loss(progress)
        torch.testing.assert_close(found, walk.cross_entropy(logits, label, steps=steps))
    found, logits = loss(WALKS)
    torch.testing.assert_close(found, F.cross_entropy(logits, label))


def test_folding_approximates_the_logits_of_long_walks() -> None:
    generator = torch.Generator().manual_seed(4)
    config = HeadConfig(negatives=None, extra_dimensions=2, label_diffusion=2)
    head = build_head(config, LABELS, 3, generator=generator).double()
    assert isinstance(head, Curriculum)
    assert head.wide is not None
    with torch.no_grad():
        head.wide.mul_(6)  # as if it had learned something
    y = torch.randn(400, 5, generator=generator, dtype=torch.float64)
    label = torch.arange(400) % LABELS
    head.loss(y, label, generator=generator, progress=MEET)
    q = torch.softmax(head.logits(y), 1).detach().numpy()
    once = q.T @ q / (q.T @ q).sum(1, keepdims=True)
    walked = np.log(q @ once @ once)
    x = np.column_stack([y, np.ones(400)])
    fitted = x @ np.linalg.lstsq(x, walked, rcond=None)[0]
    fitted -= fitted.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(fitted - fitted.mean(0), full_matrices=False)
    head.loss(y, label, generator=generator, progress=FOLD)
    found = head.logits(head.features(y)).detach().numpy()
    found -= found.mean(1, keepdims=True)
    assert s[3] > 1e-3 * s[0]
    best = u[:, :3] * s[:3] @ vt[:3]
    np.testing.assert_allclose(found - found.mean(0), best, atol=1e-6 * s[0])

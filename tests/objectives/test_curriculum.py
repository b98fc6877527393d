"""A curriculum: exact at every stage, and nothing but its head's loss at the end."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.objectives.config import HeadConfig
from identikit.objectives.curriculum import FOLD, MAP, OWN, Curriculum, build_head
from identikit.objectives.head import SoftmaxHead
from identikit.objectives.label_clustering import LabelClusters

LABELS, DIM = 12, 3
NORMS = [
    {"unit_features": features, "unit_rows": rows}
    for features in (False, True)
    for rows in (False, True)
]
CASES = ["C4", "C3", "C2", "C1"]
GROUP = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 0, 1])


def build(
    *,
    tied: bool = False,
    folds: bool = True,
    alike: Tensor = GROUP,
    **options: Any,
) -> Curriculum:
    """With no groups found among the labels if it is neither tied nor to have fewer dimensions."""
    config = HeadConfig(**({"negatives": None, "extra_dimensions": 2} | options))
    clusters = LabelClusters(
        group=alike if tied else None, groups=4, separation=3.0, observations=0
    )
    generator = torch.Generator().manual_seed(0)
    head = build_head(
        config, len(alike), DIM, generator=generator, label_clusters=clusters if folds else None
    )
    assert isinstance(head, Curriculum)
    return head.double()


def batch(n: int = 200) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(n, DIM + 2, generator=generator, dtype=torch.float64)
    mix = torch.randn(DIM + 2, DIM + 2, generator=generator, dtype=torch.float64)
    return y @ mix + 1, torch.randint(LABELS, (n,), generator=generator)


def loss(head: Curriculum, progress: float) -> Tensor:
    y, label = batch()
    return head.loss(y, label, generator=torch.Generator(), progress=progress)


def plain(head: Curriculum) -> Tensor:
    y, label = batch()
    return F.cross_entropy(head.scale * head.features(y) @ head.rows().T, label)


@pytest.mark.parametrize("options", NORMS, ids=CASES)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("progress", [0.0, FOLD, MAP, 0.95, 1.0])
def test_every_stage_is_the_cross_entropy_over_all_labels(
    options: dict[str, Any], tied: bool, progress: float
) -> None:
    head = build(tied=tied, **options)
    found = loss(head, progress)
    torch.testing.assert_close(found, plain(head))
    dims = DIM + 2 if progress < FOLD else DIM
    assert head.features(batch()[0]).shape[1] == head.rows().shape[1] == dims


def centred_logits(head: Curriculum) -> Tensor:
    """Logits less what is the same for all labels or for all samples."""
    y, _ = batch()
    logits = head.features(y) @ head.rows().T
    logits = logits - logits.mean(1, keepdim=True)
    return (logits - logits.mean(0)).detach()


def test_folding_is_the_best_approximation_of_its_rank() -> None:
    head = build()
    before = centred_logits(head).numpy()
    loss(head, FOLD)
    u, s, vt = np.linalg.svd(before, full_matrices=False)
    assert s[DIM] > 0.05 * s[0]
    np.testing.assert_allclose(centred_logits(head), u[:, :DIM] * s[:DIM] @ vt[:DIM], atol=1e-10)


def test_folding_loses_nothing_that_fits() -> None:
    head = build(tied=True)
    with torch.no_grad():
        assert head.wide is not None
        head.wide[:, 3:] = head.wide[:, :2]
    before = centred_logits(head)
    loss(head, FOLD)
    torch.testing.assert_close(centred_logits(head), before)


@pytest.mark.parametrize("labels", [2, 200_000])
def test_fewer_labels_than_dimensions_fold_and_many_need_no_matrix_of_labels(labels: int) -> None:
    head = build(alike=torch.arange(labels))
    y, _ = batch()
    head.loss(y, torch.zeros(len(y)).long(), generator=torch.Generator(), progress=FOLD)
    assert head.features(y).shape == (len(y), DIM)


def moved(head: Curriculum, progress: float) -> set[str]:
    head.zero_grad()
    loss(head, progress).backward()
    return {name for name, p in head.named_parameters() if p.grad is not None}


def test_each_stage_moves_its_own_rows() -> None:
    head = build(tied=True)
    assert moved(head, 0.0) == {"wide"}
    assert moved(head, FOLD) == {"shared"}
    assert moved(head, 0.9) == {"shared", "head.weight"}
    free = build()
    assert [moved(free, progress) for progress in (0.0, FOLD)] == [{"wide"}, {"head.weight"}]


def test_rows_stay_tied_if_told_so() -> None:
    head = build(tied=True, untie_at=1.0)
    loss(head, FOLD)
    assert moved(head, 1.0) == {"shared"}
    assert len(torch.unique(head.rows().detach(), dim=0)) == 4


def test_own_parts_of_rows_start_at_nothing_and_are_slow() -> None:
    head = build(tied=True)
    loss(head, FOLD)
    shared = head.rows().detach()
    torch.testing.assert_close(shared, shared[:4][GROUP])
    with torch.no_grad():
        head.head.weight[5] += 1
    assert head.rows()[5].sub(shared[5]).detach().numpy() == pytest.approx([OWN] * DIM)


def test_a_state_taken_after_folding_goes_on_folded() -> None:
    head, other = build(tied=True), build(tied=True)
    loss(head, FOLD)
    other.load_state_dict(head.state_dict())
    assert torch.equal(loss(head, 0.95), loss(other, 0.95))


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra_dimensions": -1},
        {"label_diffusion": -1},
        {"label_diffusion": 1, "tied_rows": True},
        {"untie_at": 0.0},
        {"untie_at": 1.5},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"head {next(iter(wrong))}"):
        HeadConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("norms", NORMS[1:], ids=CASES[1:])
@pytest.mark.parametrize(("tied", "folds"), [(False, False), (False, True), (True, True)])
def test_mapping_to_the_sphere_keeps_what_a_spherical_worlds_optimum_says(
    tied: bool, folds: bool, norms: dict[str, bool]
) -> None:
    alike = torch.arange(40) % 20  # rows enough to fix an ellipsoid in three dimensions, nine
    head = build(tied=tied, folds=folds, alike=alike, extra_dimensions=0, **norms)
    generator = torch.Generator().manual_seed(2)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    kappa, linear, shift = 7.0, normal(DIM, DIM), normal(DIM)
    y = F.normalize(normal(500, DIM)) @ linear.T
    label = torch.randint(len(alike), (500,), generator=generator)
    head.loss(y, label, generator=generator, progress=FOLD)  # folds, with nothing to lose
    assert bool(head.folded) is folds
    fold, trained = head.fold, head.shared if tied else head.head.weight
    rows = kappa * F.normalize(normal(len(trained), DIM)) @ torch.linalg.inv(linear) + shift
    with torch.no_grad():
        trained.copy_(rows @ fold)
    before = head.on_sphere
    log_p = torch.log_softmax(head.features(y) @ head.rows().T, dim=1)

    head.loss(y, label, generator=generator, progress=MAP)
    assert (before, head.on_sphere) == (False, True)
    h = head.features(y).detach()
    torch.testing.assert_close(torch.log_softmax(head.logits(h), dim=1), log_p)
    assert float(head.scale.detach()) == pytest.approx(kappa if all(norms.values()) else 1)
    length = torch.full((500,), 1.0 if norms["unit_features"] else kappa, dtype=torch.float64)
    torch.testing.assert_close(h.norm(dim=1), length)  # so h is z turned, times one length
    unit = (head.rows().detach().norm(dim=1) - 1).abs().max() < 1e-6
    assert bool(unit) == norms["unit_rows"]


def test_a_head_has_a_curriculum_if_its_config_asks_for_one() -> None:
    def kind(**options: object) -> type:
        config = HeadConfig(**options)  # type: ignore[arg-type]
        return type(build_head(config, LABELS, DIM, generator=torch.Generator()))

    assert kind() is SoftmaxHead
    for norms in NORMS[1:]:
        assert kind(**norms, late_sphere=False) is SoftmaxHead
        assert kind(**norms) is Curriculum
    assert kind(extra_dimensions=1) is kind(label_diffusion=1) is Curriculum


@pytest.mark.parametrize("norms", NORMS[1:], ids=CASES[1:])
@pytest.mark.parametrize("negatives", [None, 2])
def test_it_ends_with_the_loss_of_its_head(negatives: int | None, norms: dict[str, Any]) -> None:
    head = build(negatives=negatives, group=4, **norms)
    loss(head, FOLD)
    loss(head, MAP)
    y, label = batch()
    found = head.loss(y, label, generator=torch.Generator().manual_seed(2), progress=1.0)
    y = y @ head.fold
    expected = head.head.loss(y, label, generator=torch.Generator().manual_seed(2))
    assert torch.equal(found, expected)
    assert torch.equal(head.length_penalty(batch()[0]), head.head.length_penalty(y))
    assert (float(head.head.length_penalty(y).detach()) > 0) == norms["unit_features"]

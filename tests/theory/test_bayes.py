import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import log_softmax
from tests.theory.conftest import make_world

from identikit.core.errors import InputError
from identikit.theory.bayes import bayes_loss, excess_loss


def test_bayes_loss_of_a_circle_world_is_its_integral(generator: torch.Generator) -> None:
    world = make_world(dim=2, classes=4, kappa=3.0)
    v = world.class_vectors.double().numpy()

    def at(angle: float) -> tuple[float, float]:
        log_p = 3.0 * v @ [np.cos(angle), np.sin(angle)]
        density = np.exp(log_p - 3.0).mean()
        log_post = log_softmax(log_p)
        return density, -density * (np.exp(log_post) * log_post).sum()

    mass = quad(lambda a: at(a)[0], 0, 2 * np.pi)[0]
    exact = quad(lambda a: at(a)[1], 0, 2 * np.pi)[0] / mass
    loss = bayes_loss(world, samples=20_000, generator=generator)
    assert abs(loss.value - exact) < 4 * loss.standard_error
    assert loss.label_part == pytest.approx(0, abs=1e-12)


def test_labels_of_a_class_add_the_entropy_of_telling_them_apart(
    generator: torch.Generator,
) -> None:
    world = make_world(labels=500, classes=10)
    loss = bayes_loss(world, samples=100, generator=generator)
    assert loss.label_part == pytest.approx(math.log(50))
    assert loss.value == pytest.approx(loss.class_part + loss.label_part)


def test_without_concentration_nothing_is_learnt(generator: torch.Generator) -> None:
    world = make_world(labels=30, classes=10, kappa=0.0, label_exponent=1.0)
    prior = world.label_prior
    loss = bayes_loss(world, samples=50, generator=generator)
    assert loss.value == pytest.approx(float(-(prior * prior.log()).sum()))
    assert loss.bayes_accuracy == pytest.approx(float(world.class_prior.max()))


def test_bayes_accuracy_is_that_of_the_best_classifier(generator: torch.Generator) -> None:
    world = make_world(classes=10)
    loss = bayes_loss(world, samples=20_000, generator=generator)
    sample = world.sample(20_000, generator=generator)
    right = (world.log_likelihood(sample.z).argmax(dim=1) == sample.label).double().mean()
    assert loss.bayes_accuracy == pytest.approx(float(right), abs=0.02)


def test_true_posterior_has_no_excess(generator: torch.Generator) -> None:
    world = make_world(labels=300, classes=20)
    z = world.sample(200, generator=generator).z
    head = 10.0 * world.class_vectors[world.class_of_label]
    excess = excess_loss(world, world.log_posterior(z), h=z, head=head)
    assert abs(excess.value) < 1e-5


@pytest.mark.parametrize("label_exponent", [0.0, 1.0])
def test_excess_is_the_divergence_summed_over_labels(
    label_exponent: float, generator: torch.Generator
) -> None:
    world = make_world(labels=70, classes=20, label_exponent=label_exponent)
    z = world.sample(50, generator=generator).z
    head = torch.randn(70, 3, generator=generator, dtype=torch.float64)
    h = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    log_class = world.log_posterior(z)
    within = (world.label_prior / world.class_prior[world.class_of_label]).log()
    log_p = log_class[:, world.class_of_label] + within
    log_q = torch.log_softmax(h @ head.T, dim=1)
    expected = (log_p.exp() * (log_p - log_q)).sum(dim=1).mean()
    excess = excess_loss(world, log_class, h=h, head=head)
    assert excess.value == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("labels", [20, 70])
def test_row_noise_is_what_equal_rows_within_each_class_would_save(
    labels: int, generator: torch.Generator
) -> None:
    world = make_world(labels=labels, classes=20)
    log_class = world.log_posterior(world.sample(50, generator=generator).z)
    h = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    head = torch.randn(labels, 3, generator=generator, dtype=torch.float64)
    of_class = world.class_of_label
    mean = torch.stack([head[of_class == c].mean(0) for c in range(20)])
    noisy = excess_loss(world, log_class, h=h, head=head)
    smooth = excess_loss(world, log_class, h=h, head=mean[of_class])
    assert noisy.row_noise == pytest.approx(noisy.value - smooth.value, abs=1e-9)
    assert smooth.row_noise == pytest.approx(0, abs=1e-9)


def test_excess_is_cross_entropy_less_bayes_loss(generator: torch.Generator) -> None:
    world = make_world(labels=100, classes=20)
    n = 40_000
    sample = world.sample(n, generator=generator)
    head = 7.0 * world.class_vectors[world.class_of_label] + 0.3
    cross_entropy = torch.nn.functional.cross_entropy(
        sample.z @ head.T, sample.label, reduction="none"
    )
    log_class = world.log_posterior(sample.z)
    bayes = bayes_loss(world, samples=n, generator=generator)
    excess = excess_loss(world, log_class, h=sample.z, head=head)
    error = math.hypot(float(cross_entropy.std()) / n**0.5, bayes.standard_error)
    assert abs(float(cross_entropy.mean()) - bayes.value - excess.value) < 4 * error


def test_chunks_do_not_change_the_numbers(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(labels=60, classes=20)
    z = world.sample(40, generator=generator).z
    head = torch.randn(60, 5, generator=generator)
    whole = excess_loss(world, world.log_posterior(z), h=z, head=head)
    monkeypatch.setattr("identikit.theory.bayes.CHUNK", 100)
    assert excess_loss(world, world.log_posterior(z), h=z, head=head).value == pytest.approx(
        whole.value, rel=1e-6
    )
    assert bayes_loss(world, samples=17, generator=generator).samples == 17


def test_wrong_input_is_named(generator: torch.Generator) -> None:
    world = make_world(labels=60, classes=20)
    z = world.sample(40, generator=generator).z
    log_p = world.log_posterior(z)
    with pytest.raises(InputError, match="samples"):
        bayes_loss(world, samples=1, generator=generator)
    with pytest.raises(InputError, match="one row per label"):
        excess_loss(world, log_p, h=z, head=torch.zeros(20, 5))
    with pytest.raises(InputError, match="h needs"):
        excess_loss(world, log_p, h=z, head=torch.zeros(60, 4))

"""The cluster-centric world: what it draws is what its densities say."""

import dataclasses
import math
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from scipy import stats

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.config import WorldConfig
from identikit.worlds.generators import InvertibleGenerator
from identikit.worlds.world import ClusterWorld

SMALL: dict[str, Any] = {"dim": 3, "classes": 8, "generator": "identity"}
WORLDS: dict[str, dict[str, Any]] = {
    "vmf": {},
    "normal": {"conditional": "normal"},
    "laplace": {"conditional": "laplace", "clusters": "laplace"},
    "generalized normal": {"conditional": "generalized-normal", "clusters": "generalized-normal"},
    "truncated Laplace": {"conditional": "truncated-laplace"},
    "one covariance": {"conditional": "gaussian"},
    "several covariances": {"conditional": "gaussian", "covariance": "per-class"},
    "mixture": {"components": 3, "kappa": 20.0},
    "swapped": {"swapped_share": 0.4},
    "some swapped": {"swapped_share": 0.4, "swapped_classes": 3, "components": 2},
    "all moved": {"swapped_share": 1.0, "swapped_classes": 2},
    "noise": {"label_noise": 0.4},
    "noise in swapped, unbalanced labels": {
        "label_noise": 0.3,
        "swapped_share": 0.4,
        "swapped_classes": 3,
        "label_exponent": 1.0,
    },
    "unbalanced": {"label_exponent": 1.0},
    "repeated": {"repeated_share": 0.5},
}


def world(labels: int = 16, seed: int = 0, **options: Any) -> ClusterWorld:
    return ClusterWorld(WorldConfig(**{**SMALL, **options}), labels=labels, seed=seed)


@pytest.mark.parametrize("name", WORLDS)
def test_posterior_is_calibrated(name: str) -> None:
    """E[p(c|z)] over draws is the class prior, and p(c|z) predicts the drawn class."""
    w = world(**WORLDS[name])
    sample = w.sample(6000, generator=stream(1, "samples"))
    log_p = w.log_posterior(sample.z)
    assert log_p.dtype == torch.float64
    assert bool(log_p.isfinite().all())
    p = log_p.exp()
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-12)
    drawn = torch.nn.functional.one_hot(w.class_of_label[sample.label], w.n_classes)
    gap = drawn - p
    for weight in (torch.ones_like(p), p, log_p.clamp(min=-20)):
        score = (gap * weight).double()
        z_value = score.mean(0) / (score.std(0) + 1e-9) * math.sqrt(len(p))
        assert float(z_value.abs().max()) < 4.2


@pytest.mark.parametrize("name", WORLDS)
def test_likelihood_is_the_mixture_of_components(name: str) -> None:
    w = world(**WORLDS[name])
    np.testing.assert_allclose(w.mixing.sum(1), 1, atol=1e-12)
    z = w.sample(50, generator=stream(2, "samples")).z
    parts = w.conditional.log_density(z)[:, None, :] + w.mixing.log()
    np.testing.assert_allclose(w.log_likelihood(z), torch.logsumexp(parts, 2), atol=1e-10)


def test_likelihood_stays_finite_where_classes_are_far_apart() -> None:
    w = world(kappa=10_000.0, swapped_share=1.0, swapped_classes=2)
    z = w.sample(100, generator=stream(2, "samples")).z
    assert bool(w.log_likelihood(z).isfinite().all())


def test_diet_labels_cycle_through_the_classes() -> None:
    w = world(labels=20)
    assert w.class_of_label.tolist() == [i % 8 for i in range(20)]
    np.testing.assert_allclose(w.label_prior, 1 / 20)
    np.testing.assert_allclose(w.class_prior, [3 / 20] * 4 + [2 / 20] * 4)
    label = w.sample(20_000, generator=stream(0, "samples")).label
    assert stats.chisquare(np.bincount(label, minlength=20)).pvalue > 1e-3


def test_unbalanced_labels_follow_zipf() -> None:
    w = world(labels=20, label_exponent=1.5)
    weight = np.arange(1, 21) ** -1.5
    np.testing.assert_allclose(w.label_prior, weight / weight.sum())
    label = w.sample(20_000, generator=stream(0, "samples")).label
    expected = 20_000 * weight / weight.sum()
    assert stats.chisquare(np.bincount(label, minlength=20), expected).pvalue > 1e-3
    assert float(w.class_prior[0]) == pytest.approx(float(w.label_prior[[0, 8, 16]].sum()))


@pytest.mark.parametrize("noise", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("labels", [8, 40])
def test_noise_draws_a_label_anew_and_floors_the_posterior(noise: float, labels: int) -> None:
    """p(c|z) becomes (1 - e) p(c|z) + e / C, for classes and for instances alike."""
    clean, noisy = world(labels=labels), world(labels=labels, label_noise=noise)
    sample = noisy.sample(500, generator=stream(0, "samples"))
    expected = (1 - noise) * clean.log_posterior(sample.z).exp() + noise / 8
    np.testing.assert_allclose(noisy.log_posterior(sample.z).exp(), expected, atol=1e-12)
    assert torch.equal(noisy.label_prior, clean.label_prior)


def test_swapped_share_is_drawn_from_the_other_swapped_classes() -> None:
    w = world(swapped_share=0.3, swapped_classes=4, kappa=10_000.0)
    sample = w.sample(20_000, generator=stream(0, "samples"))
    own = w.class_of_label[sample.label]
    source = (sample.z @ w.class_vectors.T).argmax(1)
    found = torch.zeros(8, 8).index_put_((own, source), torch.ones(20_000), accumulate=True)
    found = found / found.sum(1, keepdim=True)
    np.testing.assert_allclose(found, w.mixing, atol=0.04)
    assert len(w.swapped) == 4
    assert int((w.mixing.diagonal() < 1).sum()) == 4


def test_mixture_class_vector_is_the_normalized_mean_of_its_centres() -> None:
    w = world(components=3)
    centres = w.conditional.centres.reshape(8, 3, 3)
    mean = centres.mean(1)
    np.testing.assert_allclose(w.class_vectors, mean / mean.norm(dim=1, keepdim=True), atol=1e-6)
    assert torch.equal(world().class_vectors, world().conditional.centres)


def test_truncated_laplace_is_off_the_sphere_and_the_rest_on_it() -> None:
    for name, options in WORLDS.items():
        w = world(**options)
        norm = w.sample(500, generator=stream(0, "samples")).z.norm(dim=1)
        assert w.conditional.spherical == (float((norm - 1).abs().max()) < 1e-5), name


def test_observations_are_the_generators_image() -> None:
    w = ClusterWorld(WorldConfig(observation_dim=7), labels=100, seed=0)
    sample = w.sample(50, generator=stream(0, "samples"))
    assert sample.x.shape == (50, 7)
    assert torch.equal(sample.x, w.generator(sample.z))
    assert isinstance(w.generator, InvertibleGenerator)
    np.testing.assert_allclose(w.generator.inverse(sample.x), sample.z, atol=1e-4)


def test_same_seed_same_bits_and_parts_do_not_depend_on_each_other() -> None:
    a, b = (ClusterWorld(WorldConfig(), labels=200, seed=3) for _ in range(2))
    x, y = (w.sample(500, generator=stream(0, "samples")) for w in (a, b))
    for field in dataclasses.fields(x):
        assert torch.equal(getattr(x, field.name), getattr(y, field.name))
    other = ClusterWorld(WorldConfig(generator="identity", kappa=3.0), labels=300, seed=3)
    assert torch.equal(a.class_vectors, other.class_vectors)
    changed = ClusterWorld(WorldConfig(clusters="normal"), labels=200, seed=3)
    np.testing.assert_array_equal(a.generator(x.z), changed.generator(x.z))
    assert not torch.equal(
        a.class_vectors, ClusterWorld(WorldConfig(), labels=200, seed=4).class_vectors
    )
    first, second = (torch.rand(4, generator=stream(0, p)) for p in ("samples", "cluster vectors"))
    assert not torch.equal(first, second)


def test_everything_moves_to_another_device() -> None:
    """The meta device stands for any other: a tensor left behind would fail or be found."""
    for options in WORLDS.values():
        moved = world(**{**options, "generator": "mlp"}).to("meta")
        assert moved.device.type == "meta"
        for part in (moved, moved.conditional, moved.generator):
            for value in vars(part).values():
                for tensor in value if isinstance(value, list) else [value]:
                    assert not isinstance(tensor, torch.Tensor) or tensor.is_meta


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", WORLDS)
def test_on_a_gpu(name: str) -> None:
    here = world(**{**WORLDS[name], "generator": "mlp"})
    there = here.to("cuda")
    sample = there.sample(500, generator=stream(0, "samples", device="cuda"))
    assert sample.x.device.type == "cuda"
    expected = here.log_posterior(sample.z.cpu())
    np.testing.assert_allclose(there.log_posterior(sample.z).cpu(), expected, atol=1e-6)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kappa": -1.0}, "kappa must be from 0 to 10000; got -1.0"),
    ({"kappa": math.nan}, "kappa must be from 0 to 10000; got nan"),
    ({"scale": 0.0}, "scale must be from 1e-06"),
    ({"scale": -1.0}, "scale must be from 1e-06"),
    ({"cluster_scale": 0.0}, "cluster_scale must be from 1e-06"),
    ({"exponent": 0.5}, "exponent must be from 1 to 100"),
    ({"swapped_share": 1.5}, "swapped_share must be from 0 to 1; got 1.5"),
    ({"swapped_share": -0.1}, "swapped_share must be from 0 to 1"),
    ({"label_noise": 1.01}, "label_noise must be from 0 to 1; got 1.01"),
    ({"label_noise": math.nan}, "label_noise must be from 0 to 1; got nan"),
    ({"bound": 0.9}, "bound must be from 1 to"),
    ({"bound": 1.5}, "bound has no effect here; got 1.5. It belongs to conditional trunc"),
    ({"swapped_classes": 1}, r"swapped_classes must be from 2 to the number of classes \(8\)"),
    ({"swapped_classes": 9}, r"swapped_classes must be from 2 to the number of classes \(8\)"),
    ({"dim": 1}, "dim must be at least 2; got 1"),
    ({"classes": 1}, "classes must be at least 2"),
    ({"components": 0}, "components must be at least 1"),
    ({"label_exponent": -1.0}, "label_exponent must be from 0"),
    ({"generator_layers": 0}, "generator_layers must be at least 1"),
    ({"generator": "mlp", "observation_dim": 2}, r"observation_dim must be at least dim \(3\)"),
    ({"observation_dim": 4}, "no effect here; got 4. It belongs to generator mlp, o"),
    ({"conditional": "vmff"}, r"unknown conditional 'vmff'\. Did you mean 'vmf'\?"),
    ({"clusters": "unifrom"}, r"unknown clusters 'unifrom'\. Did you mean 'uniform'\?"),
    ({"generator": "MLP"}, "unknown generator 'MLP'"),
    ({"covariance": "per_class"}, r"unknown covariance 'per_class'\. Did you mean 'per-class'\?"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_config(options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users
    with pytest.raises(InputError, match=message):
        world(**options)


def test_fewer_labels_than_classes() -> None:
    with pytest.raises(InputError, match=r"labels must be at least the number of classes \(8\)"):
        world(labels=7)


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 0.5},
        {"conditional": "laplace", "kappa": 3.0},
        {"covariance": "per-class"},
        {"exponent": 1.5},
        {"cluster_scale": 2.0},
        {"swapped_classes": 3},
        {"generator": "identity", "generator_layers": 2},
    ],
)
def test_options_without_effect_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="has no effect here"):
        WorldConfig(**options)


def test_a_repeated_element_has_its_share_of_equally_frequent_labels() -> None:
    w = world(labels=80, repeated_share=0.5)
    assert (w.class_of_label[40:] == 0).all()
    assert torch.equal(w.class_of_label[:40], torch.arange(40) % 8)
    assert float(w.class_prior[0]) == pytest.approx(0.5 + 0.5 / 8)
    assert bool((w.label_prior == w.label_prior[0]).all())


def test_a_repeated_element_leaves_a_label_to_every_class() -> None:
    assert len(world(labels=16, repeated_share=0.5).class_of_label.unique()) == 8
    with pytest.raises(InputError, match=r"repeated_share must leave a label for each of 8"):
        world(labels=15, repeated_share=0.5)


def test_samples_without_a_generator_go_on_from_draw_to_draw() -> None:
    config = WorldConfig(dim=3, classes=8, generator="identity")
    world = ClusterWorld(config, seed=1)
    assert world.n_labels == 8
    first, second = world.sample(50), world.sample(50)
    assert not torch.equal(first.z, second.z)
    again = ClusterWorld(config, seed=1)
    assert torch.equal(again.sample(50).z, first.z)
    assert torch.equal(again.to("cpu").sample(50).z, first.z)


def test_pairs_share_their_label_and_nothing_else() -> None:
    generator = stream(1, "pairs")
    world = ClusterWorld(WorldConfig(dim=3, classes=8, generator="identity"), labels=40, seed=0)
    first, second = world.sample_pairs(500, generator=generator)
    assert torch.equal(first.label, second.label)
    assert not torch.isclose(first.z, second.z).all(1).any()
    nearness = (first.z * second.z).sum(1).mean()
    assert nearness > (first.z * second.z.roll(1, 0)).sum(1).mean() + 0.3


def test_pairs_of_a_class_draw_the_second_label_by_its_prior() -> None:
    generator = stream(1, "pairs")
    config = WorldConfig(dim=2, classes=4, generator="identity", label_exponent=1.0)
    world = ClusterWorld(config, labels=14, seed=0)
    first, second = world.sample_pairs(100_000, same="class", generator=generator)
    assert torch.equal(world.class_of_label[first.label], world.class_of_label[second.label])
    count = torch.zeros(14, 14, dtype=torch.float64)
    count.index_put_((first.label, second.label), torch.ones(100_000).double(), accumulate=True)
    same = world.class_of_label[:, None] == world.class_of_label
    within = world.label_prior / world.class_prior[world.class_of_label]
    wanted = world.label_prior[:, None] * within * same
    torch.testing.assert_close(count / 100_000, wanted, atol=0.004, rtol=0)


def test_pairs_share_a_label_or_a_class_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users
    world = ClusterWorld(WorldConfig(dim=2, classes=4, generator="identity"))
    wrong: Any = "latent"
    with pytest.raises(InputError, match=r"same.*label"):
        world.sample_pairs(3, same=wrong)

"""Copies and repeated measures are noticed; independent samples of any shape are not."""

from dataclasses import replace

import pytest
import torch
from tests.cases import latents
from torch import Tensor

from identikit import Factors, score
from identikit.core.factors import Factor, Kind
from identikit.probing.repeats import repeats


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def said(h: Tensor, z: Tensor | None = None) -> str:
    z = latents(generator(9), n=len(h), dim=1) if z is None else z
    return " ".join(repeats(h, Factors.from_latents(z)))


@pytest.mark.parametrize("n", [50, 500, 5000])
@pytest.mark.parametrize("dim", [1, 2, 5, 100])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_independent_samples_are_left_alone(n: int, dim: int, dtype: torch.dtype) -> None:
    if dtype is torch.float16 and dim < 5:
        return  # has so few values that copies are no news
    assert said(latents(generator(), n=n, dim=dim).to(dtype)) == ""


@pytest.mark.parametrize("dim", [1, 3, 100])
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_copies_and_near_copies_are_noticed(dim: int, noise: float) -> None:
    h = latents(generator(), n=300, dim=dim)
    twice = torch.cat([h, h + noise * latents(generator(1), n=300, dim=dim)])
    twice = twice[torch.randperm(600, generator=generator(2))]
    assert "copies" in said(100 * twice + 7)


def test_views_of_one_object_after_another_are_noticed() -> None:
    h = latents(generator(), n=40)[torch.arange(800) // 20]
    assert "neighbouring rows" in said(h + 0.2 * latents(generator(1), n=800))


def test_values_of_objects_are_noticed_in_any_order() -> None:
    order = torch.randperm(800, generator=generator(2)) % 40
    h = latents(generator(), n=800) + latents(generator(1), n=40)[order]
    z = latents(generator(3), n=40, dim=2)[order]
    assert "values of 'z1', 'z2' come back" in said(h, z)
    assert "say with groups" in score(h, z, resamples=100).status
    assert score(h, z, groups=order, resamples=100).status.startswith("few groups")


def objects(seed: int, spread: float = 0.5) -> tuple[Tensor, Tensor]:
    """Features of 40 objects seen 20 times each, in any order, and which object each row shows."""
    which = torch.arange(800)[torch.randperm(800, generator=generator(seed))] // 20
    h = latents(generator(seed + 1), n=40, dim=16)[which]
    return h + spread * latents(generator(seed + 2), n=800, dim=16), which


@pytest.mark.parametrize("weight", ["number", "rounded", "yes or no", "of three kinds"])
def test_what_belongs_to_objects_is_noticed_beside_what_varies(weight: str) -> None:
    h, which = objects(5)
    number = latents(generator(1), n=40, dim=1)[which, 0]
    values = {
        "number": number,
        "rounded": (300 * number).round(),
        "yes or no": number > 0,
        "of three kinds": (which % 3),
    }[weight]
    azimuth = 360 * torch.rand(800, generator=generator(2)).double()
    kinds = {"azimuth": "circular:360"}
    if weight == "of three kinds":
        kinds["weight"] = "categorical"
    found = score(h, {"azimuth": azimuth, "weight": values}, kinds=kinds, resamples=100)
    assert "'weight'" in found.status
    assert "'azimuth'" not in found.status
    assert "say with groups" in found.status


@pytest.mark.parametrize("dim", [2, 5, 100])
@pytest.mark.parametrize("n", [100, 3000])
def test_rounded_and_rare_values_and_classes_are_no_objects(dim: int, n: int) -> None:
    """Independent samples whose values come back because they are few."""
    h = latents(generator(dim), n=n, dim=dim)
    z = h[:, 0]
    classes = (3 * latents(generator(8), n=5, dim=dim))[torch.arange(n) % 5]
    factors = Factors(
        [
            Factor(name="age", kind=Kind.CONTINUOUS, values=(10 * z).round()),
            Factor(name="grid", kind=Kind.CONTINUOUS, values=(torch.arange(n) % 18) / 17),
            Factor(name="rare", kind=Kind.CONTINUOUS, values=z.where(z > 1.5, 0.0)),
            Factor(name="count", kind=Kind.CONTINUOUS, values=(2 + 2 * z).exp().floor()),
            Factor(name="sign", kind=Kind.BINARY, values=(z > 0).double()),
            Factor(name="class", kind=Kind.CATEGORICAL, values=(torch.arange(n) % 5).double()),
            Factor(name="free", kind=Kind.CONTINUOUS, values=latents(generator(3), n=n)[:, 0]),
        ]
    )
    assert repeats(h, factors) == []
    assert repeats(classes + h, factors) == []


def draw(n: int, levels: int, seed: int) -> Tensor:
    return torch.randint(levels, (n,), generator=generator(seed))


def named(kind: Kind, **columns: Tensor) -> list[Factor]:
    return [Factor(name=name, kind=kind, values=c.double()) for name, c in columns.items()]


def said_of(*factors: Factor) -> str:
    """Where features are noise, so that only the factors can tell."""
    h = latents(generator(), n=factors[0].values.numel(), dim=8)
    return " ".join(repeats(h, Factors(factors)))


@pytest.mark.parametrize(
    ("attributes", "noticed"),
    [
        # a name of forty, and what goes by it, may be a class
        (named(Kind.CATEGORICAL, name=torch.arange(40), maker=draw(40, 5, 1)), False),
        (
            named(
                Kind.ORDINAL,
                size=torch.randperm(40, generator=generator(1)),
                price=torch.randperm(40, generator=generator(2)),
            ),
            True,
        ),
        (named(Kind.BINARY, **{f"has {j}": draw(40, 2, j) for j in range(10)}), True),
        (named(Kind.ORDINAL, **{f"scale {j}": draw(40, 12, j) for j in range(3)}), True),
    ],
)
def test_attributes_of_objects_are_told_by_how_they_go_together(
    attributes: list[Factor], noticed: bool
) -> None:
    """Beside a free number, steps of an angle seen of every object, and independent light."""
    which = torch.arange(800)[torch.randperm(800, generator=generator(7))]
    own = [replace(f, values=f.values[which // 20]) for f in attributes]
    views = [
        *named(Kind.CATEGORICAL, light=draw(800, 4, 11)),
        *named(Kind.CONTINUOUS, free=latents(generator(12), n=800, dim=1)[:, 0]),
        *named(Kind.ORDINAL, angle=which % 20),
    ]
    words = said_of(*own, *views)
    assert said_of(*views) == ""
    if not noticed:
        assert words == ""
        return
    different = len(torch.unique(torch.stack([f.values for f in attributes]), dim=1).T)
    assert f"come in but {different} combinations" in words
    assert own[0].name in words
    assert "'free'" not in words
    assert "'angle'" not in words


def one_hot(levels: int, seed: int, name: str) -> list[Factor]:
    columns = torch.nn.functional.one_hot(draw(2000, levels, seed), levels).T
    return named(Kind.BINARY, **{f"{name} {j}": c for j, c in enumerate(columns)})


N = 2000
SPECIES, PLACE, YEAR = draw(N, 40, 1), draw(N, 12, 2), draw(N, 60, 3)
TRAIT = latents(generator(4), n=N, dim=1)[:, 0]


@pytest.mark.parametrize(
    "factors",
    [
        [*one_hot(10, 1, "class"), *one_hot(12, 2, "place")],
        named(
            Kind.CATEGORICAL,
            species=SPECIES,
            genus=SPECIES // 3,
            family=SPECIES // 10,
            place=PLACE,
            country=PLACE // 4,
        ),
        named(Kind.ORDINAL, age=YEAR, born=2000 - YEAR, decade=YEAR // 10, adult=YEAR > 18),
        named(
            Kind.CONTINUOUS,
            hue=draw(N, 10, 5) / 10,
            scale=draw(N, 8, 6) / 8,
            shape=draw(N, 4, 7).double(),
        ),
        named(Kind.CONTINUOUS, age=(10 * TRAIT).round()),
        named(
            Kind.ORDINAL,
            age=(8 * TRAIT).round(),
            school=(3 * TRAIT + latents(generator(8), n=N, dim=1)[:, 0]).round(),
            children=draw(N, 4, 9),
        ),
        named(Kind.BINARY, **{f"rare {j}": draw(N, 50, 20 + j) == 0 for j in range(20)}),
        named(Kind.CATEGORICAL, quarter=(4 * TRAIT.sigmoid()).floor())
        + named(Kind.BINARY, sign=TRAIT > 0, large=TRAIT.abs() > 1),
        named(Kind.ORDINAL, **{f"digit {j}": draw(N, 10, 50 + j) for j in range(3)}),
    ],
)
def test_independent_samples_of_codes_and_classes_are_left_alone(factors: list[Factor]) -> None:
    assert said_of(*factors) == ""


@pytest.mark.parametrize("size", [1e5, 1e8])
def test_rows_are_no_copies_for_one_loud_direction(size: float) -> None:
    h = latents(generator(), n=1000, dim=20)
    slant = latents(generator(1), n=1, dim=20)
    loud = size * latents(generator(2), n=1000, dim=1) @ slant
    assert said(h + loud) == ""
    assert "copies" in said((h + loud)[torch.arange(1000) // 2 * 2 % 1000])

"""A world for each conditional, by its name and with its own parameters.

Each is the `ClusterWorld` of a `WorldConfig` and nothing more, and takes every other option of one
as a keyword: `VonMises(dim=5, generator="identity", components=2)`. Without `instances` the labels
are the classes (supervised learning); with it they are so many instances of these (DIET).
"""

from typing import ClassVar, Unpack

from identikit.worlds.config import ConditionalKind, CovarianceKind, WorldConfig, WorldOptions
from identikit.worlds.world import ClusterWorld


class VonMises(ClusterWorld):
    """Latents on the sphere, von Mises-Fisher around their cluster vector: the theorem's own world.

    Args:
        dim: Number of latents d.
        classes: Number of classes C.
        kappa: Concentration; 0 is uniform.
        instances: Number of labels, where these are instances of the classes.
        seed: Of cluster vectors, generator and samples.
        **options: Of `WorldConfig`.

    Raises:
        InputError: a value out of range, or an option that has no effect.
    """

    def __init__(
        self,
        *,
        dim: int = 5,
        classes: int = 100,
        kappa: int | float = 10.0,
        instances: int | None = None,
        seed: int = 0,
        **options: Unpack[WorldOptions],
    ) -> None:
        config = WorldConfig(
            dim=dim, classes=classes, conditional="vmf", kappa=float(kappa), **options
        )
        super().__init__(config, labels=instances, seed=seed)


class _Scaled(ClusterWorld):
    """A world whose conditional has a scale and nothing else of its own."""

    _conditional: ClassVar[ConditionalKind]

    def __init__(
        self,
        *,
        dim: int = 5,
        classes: int = 100,
        scale: int | float = 1.0,
        instances: int | None = None,
        seed: int = 0,
        **options: Unpack[WorldOptions],
    ) -> None:
        config = WorldConfig(
            dim=dim,
            classes=classes,
            conditional=self._conditional,
            scale=float(scale),
            **options,
        )
        super().__init__(config, labels=instances, seed=seed)


class Normal(_Scaled):
    """Latents on the sphere: isotropic normal noise around their cluster vector, projected.

    Args:
        dim: Number of latents d.
        classes: Number of classes C.
        scale: Standard deviation of the noise before the projection.
        instances: Number of labels, where these are instances of the classes.
        seed: Of cluster vectors, generator and samples.
        **options: Of `WorldConfig`.

    Raises:
        InputError: a value out of range, or an option that has no effect.
    """

    _conditional = "normal"


class Laplace(_Scaled):
    """Latents on the sphere: independent Laplace noise around their cluster vector, projected.

    Args:
        dim: Number of latents d.
        classes: Number of classes C.
        scale: Mean absolute deviation of each coordinate before the projection.
        instances: Number of labels, where these are instances of the classes.
        seed: Of cluster vectors, generator and samples.
        **options: Of `WorldConfig`.

    Raises:
        InputError: a value out of range, or an option that has no effect.
    """

    _conditional = "laplace"


class GeneralizedNormal(ClusterWorld):
    """Latents on the sphere: noise of density exp(-|e / scale|^exponent) by coordinate, projected.

    Args:
        dim: Number of latents d.
        classes: Number of classes C.
        scale: Width of the noise before the projection.
        exponent: At least 1: 1 is Laplace, 2 is normal.
        instances: Number of labels, where these are instances of the classes.
        seed: Of cluster vectors, generator and samples.
        **options: Of `WorldConfig`.

    Raises:
        InputError: a value out of range, or an option that has no effect.
    """

    def __init__(
        self,
        *,
        dim: int = 5,
        classes: int = 100,
        scale: int | float = 1.0,
        exponent: int | float = 3.0,
        instances: int | None = None,
        seed: int = 0,
        **options: Unpack[WorldOptions],
    ) -> None:
        config = WorldConfig(
            dim=dim,
            classes=classes,
            conditional="generalized-normal",
            scale=float(scale),
            exponent=float(exponent),
            **options,
        )
        super().__init__(config, labels=instances, seed=seed)


class TruncatedLaplace(ClusterWorld):
    """Latents in the box [-t, t]^d: independent Laplace noise around their cluster vector, cut.

    Args:
        dim: Number of latents d.
        classes: Number of classes C.
        scale: Mean absolute deviation of each coordinate before it is cut.
        bound: t, at least 1.
        instances: Number of labels, where these are instances of the classes.
        seed: Of cluster vectors, generator and samples.
        **options: Of `WorldConfig`.

    Raises:
        InputError: a value out of range, or an option that has no effect.
    """

    def __init__(
        self,
        *,
        dim: int = 5,
        classes: int = 100,
        scale: int | float = 1.0,
        bound: int | float = 2.0,
        instances: int | None = None,
        seed: int = 0,
        **options: Unpack[WorldOptions],
    ) -> None:
        config = WorldConfig(
            dim=dim,
            classes=classes,
            conditional="truncated-laplace",
            scale=float(scale),
            bound=float(bound),
            **options,
        )
        super().__init__(config, labels=instances, seed=seed)


class Gaussian(ClusterWorld):
    """Latents in R^d: Gaussian around their cluster vector, with random covariances.

    Args:
        dim: Number of latents d.
        classes: Number of classes C.
        scale: Factor of every standard deviation.
        covariance: One for all classes, or one for each.
        instances: Number of labels, where these are instances of the classes.
        seed: Of cluster vectors, covariances, generator and samples.
        **options: Of `WorldConfig`.

    Raises:
        InputError: a value out of range, or an option that has no effect.
    """

    def __init__(
        self,
        *,
        dim: int = 5,
        classes: int = 100,
        scale: int | float = 1.0,
        covariance: CovarianceKind = "shared",
        instances: int | None = None,
        seed: int = 0,
        **options: Unpack[WorldOptions],
    ) -> None:
        config = WorldConfig(
            dim=dim,
            classes=classes,
            conditional="gaussian",
            scale=float(scale),
            covariance=covariance,
            **options,
        )
        super().__init__(config, labels=instances, seed=seed)

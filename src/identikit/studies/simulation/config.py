"""What a simulation is told: world, objective, encoder, head, training."""

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Literal

from identikit.core.choice import Range, check_choices, check_ranges, described
from identikit.core.errors import InputError
from identikit.encoders.config import EncoderConfig
from identikit.objectives.config import OBJECTIVES, HeadConfig, ObjectiveName
from identikit.runs.config import StudyConfig
from identikit.runs.options import require_device
from identikit.training.config import TrainingConfig
from identikit.training.recipes import RECIPES, recipe
from identikit.worlds.config import GENERATORS, WorldConfig

STARTS = 1_000_000
"""Seeds from one start to the next."""
BUDGET = 10.0
"""What the experiments of a diagnosis may cost together, in runs like the one explained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig(StudyConfig):
    """Everything that decides the numbers of a simulation.

    Raises:
        InputError: a value outside its range, or options that exclude each other.
    """

    objective: Annotated[ObjectiveName, described("What is taught", OBJECTIVES)] = "diet"
    """What the encoder is taught."""
    instances: Annotated[int, Range(1)] = 10_240
    """Number of instances, the labels of DIET; instance i is of class i mod classes."""
    seed: int = 0
    """Names every random stream: world, initial weights, batches, scores."""
    start: Annotated[int, Range(0)] = 0
    """Another start in the same world: other initial weights and batches."""
    threads: Annotated[int, Range(1)] = 1
    """Processor threads; part of what the bits of a run depend on."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to train."""
    representation_dim: Annotated[int | None, Range(1)] = None
    """Dimensions of h; by default as many as the world has latents."""
    few_classes: bool = False
    """Allow fewer classes than the theorem needs, where theory says that recovery must break."""
    test_samples: int = 8192
    """Fresh samples for the scores: half to fit the maps, half to score them."""
    world: WorldConfig = field(default_factory=WorldConfig)
    encoder: EncoderConfig = field(default_factory=lambda: recipe("fast").encoder)
    head: HeadConfig = field(default_factory=lambda: recipe("fast").head)
    training: TrainingConfig = field(default_factory=lambda: recipe("fast").training)

    def nearest_named(self) -> tuple[list[str], "SimulationConfig"]:
        """Words for the recipe from which it differs in fewest options, and what these words give.

        A command has to name one: left out, the recipe is chosen by the world.
        """

        def unlike(name: str) -> int:
            parts = ("encoder", "head", "training")
            pairs = ((getattr(self, part), getattr(recipe(name), part)) for part in parts)
            return sum(
                getattr(own, field.name) != getattr(other, field.name)
                for own, other in pairs
                for field in fields(own)
            )

        nearest = min(RECIPES, key=unlike)
        return ["--recipe", nearest], from_recipe(nearest)

    def __post_init__(self) -> None:
        check_ranges(self)
        check_choices(self, {"objective": OBJECTIVES})
        if self.target == "instances" and self.instances < self.world.classes:
            raise InputError(
                f"instances must be at least as many as classes; got {self.instances} instances "
                f"of {self.world.classes} classes. Raise --instances or lower --classes."
            )
        if self.world.classes < self.world.dim + 1 and not self.few_classes:
            raise InputError(
                f"classes must be at least dim + 1 ({self.world.dim + 1}) for cluster vectors to "
                f"span the latent space; got {self.world.classes}. Raise --classes, or give "
                "--few-classes to see recovery break."
            )
        if self.test_samples < 16 * self.dim:
            raise InputError(
                f"test_samples must be at least 16 per dimension of h ({16 * self.dim}); "
                f"got {self.test_samples}."
            )
        unit = self.head.unit_norm
        if self.target == "latents" and (self.dim != self.world.dim or unit):
            raise InputError(
                "the oracle regresses on the latents, so its h has their number of dimensions and "
                "no norm of its own; leave representation_dim, unit_features and unit_rows out."
            )
        diverse = 2 * self.world.dim
        rows_only = self.head.unit_rows and not self.head.unit_features
        if rows_only and self.world.classes < diverse and not self.few_classes:
            raise InputError(
                f"unit rows with free features (case C3) need diverse data, at least 2 dim "
                f"({diverse}) classes; got {self.world.classes}. Raise --classes, add "
                "--unit-features, or give --few-classes to see recovery break."
            )
        if self.head.tied_rows and self.world.label_exponent:
            raise InputError(
                "tied_rows is for labels that come equally often, or one row would not do for "
                "labels that look alike; leave it or label_exponent out."
            )
        if self.encoder.architecture == "cnn" and not self.world.images:
            raise InputError(
                f"a cnn encodes images; got the generator {self.world.generator}, which makes "
                f"none. Choose {' or '.join(name for name, g in GENERATORS.items() if g.images)}, "
                "or another architecture."
            )
        square = self.world.observation_dim in (None, self.world.dim) and not self.world.images
        if self.encoder.architecture == "flow" and not square:
            raise InputError(
                "a flow keeps dimensions, so it takes as many observed ones as there are latents "
                f"({self.world.dim}); got "
                f"{'images' if self.world.images else self.world.observation_dim}. Choose another "
                "architecture."
            )
        require_device(self.device)

    @property
    def n_labels(self) -> int:
        """How many labels the head tells apart."""
        return self.instances if self.target == "instances" else self.world.classes

    @property
    def target(self) -> Literal["instances", "classes", "latents"]:
        """What each sample is told by."""
        return OBJECTIVES[self.objective].target

    @property
    def dim(self) -> int:
        """Dimensions of h."""
        return self.representation_dim or self.world.dim

    @property
    def label(self) -> str:
        """Objective, conditional, dimensions, classes and seed."""
        world = self.world
        return f"{self.objective}-{world.conditional}-d{world.dim}-c{world.classes}-s{self.seed}"

    @property
    def start_seed(self) -> int:
        """Names the streams of initial weights, batches and negatives."""
        return self.seed + STARTS * self.start

    def as_oracle(self) -> "SimulationConfig":
        """The same encoder, told the true latents; without what only a head of labels has."""
        return replace(
            self,
            objective="oracle",
            representation_dim=None,
            head=replace(self.head, unit_features=False, unit_rows=False),
            world=replace(self.world, repeated_share=0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisConfig(StudyConfig):
    """A run, and what finding out its cause may cost.

    Raises:
        InputError: a budget that is not positive.
    """

    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    budget: float = BUDGET
    """Of all experiments together, in runs like the one that is explained."""

    def __post_init__(self) -> None:
        if not self.budget > 0:
            raise InputError(
                f"budget must be positive, in runs like the one explained; got {self.budget}."
            )

    @property
    def label(self) -> str:
        """That of the run."""
        return self.simulation.label


def from_recipe(name: str) -> SimulationConfig:
    """The base row of the paper, or of images for a recipe for these, trained as a recipe says.

    Raises:
        InputError: no such recipe.
    """
    chosen = recipe(name)
    images = chosen.encoder.architecture == "cnn"
    return SimulationConfig(
        world=WorldConfig(generator="sprites") if images else WorldConfig(),
        encoder=chosen.encoder,
        head=chosen.head,
        training=chosen.training,
    )


DEMO = SimulationConfig(world=WorldConfig(dim=3, classes=50))
"""Three latents, so that the sphere of factors can be drawn."""

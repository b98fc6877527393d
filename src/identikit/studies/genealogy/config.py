"""What the genealogy is told, and what each of its cells is told: frozen configs."""

from dataclasses import dataclass

from identikit.core.errors import InputError, unknown_name
from identikit.runs.config import StudyConfig

CELL = "genealogy-cell"
"""The name under which cells are kept."""
WORLDS = ("classes", "segments-1", "segments-2", "uniform-pairs", "normal-pairs")
RENDERED = {
    "sprites": ("classes", "sprites"),
    "rooms": ("classes", "rooms"),
    "sprites-pairs": ("uniform-pairs", "sprites"),
    "rooms-pairs": ("uniform-pairs", "rooms"),
}
"""Worlds of which images are seen: that of the latents, and the renderer."""
LABELLED = ("classes", "segments-1", "segments-2", "sprites", "rooms")
"""Worlds whose samples have labels; a pair shares its class."""
OF_LABELS = ("supervised", "diet", "tcl", "gcl")
"""Objectives that need labels: classes, instances, segments, auxiliary values."""
OBJECTIVES = (*OF_LABELS, "infonce", "vicreg", "sigreg")


def meets(world: str, objective: str) -> bool:
    """Whether a world has what an objective needs; all of them have pairs."""
    return world in LABELLED or objective not in OF_LABELS


@dataclass(frozen=True, slots=True, kw_only=True)
class GenealogyCellConfig(StudyConfig):
    """One objective trained once on one world.

    Raises:
        InputError: an unknown name, a value out of range, or an objective of labels in a world
            without any.
    """

    world: str
    """classes: von Mises-Fisher around 40 cluster vectors; segments-1, segments-2: exponential
    families of order one and two; uniform-pairs, normal-pairs: pairs without labels. Rendered:
    sprites and rooms are images of classes, sprites-pairs and rooms-pairs of uniform pairs."""
    objective: str
    """supervised, diet, tcl, gcl, infonce, vicreg or sigreg."""
    dim: int = 3
    """Number of latents d."""
    seed: int = 0
    """Names every random stream: world, initial weights, batches, scores."""
    steps: int = 1600
    """Of training, with 512 samples (256 pairs) each, or half as many images; four starts of an
    eighth compete before."""

    def __post_init__(self) -> None:
        for name, known in (("world", (*WORLDS, *RENDERED)), ("objective", OBJECTIVES)):
            if getattr(self, name) not in known:
                raise unknown_name(name, getattr(self, name), known)
        if not meets(self.world, self.objective):
            raise InputError(
                f"{self.objective} learns from labels (classes, instances or segments), and "
                f"{self.world} has none. Choose one of {', '.join(LABELLED)}, or an objective of "
                "pairs: infonce, vicreg, sigreg."
            )
        for name, least in (("dim", 2), ("steps", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}; got {getattr(self, name)}.")

    @property
    def label(self) -> str:
        """World, objective and seed."""
        return f"{self.world}-{self.objective}-s{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenealogyConfig(StudyConfig):
    """Which worlds and objectives, and how much of each.

    Raises:
        InputError: an unknown name, a value out of range, or nothing to run.
    """

    worlds: tuple[str, ...] = WORLDS
    """Rows: classes, segments-1, segments-2, uniform-pairs, normal-pairs; and of rendered images
    sprites, rooms, sprites-pairs, rooms-pairs."""
    objectives: tuple[str, ...] = OBJECTIVES
    """Columns: supervised, diet, tcl, gcl, infonce, vicreg, sigreg."""
    seeds: int = 1
    """Use seeds 0 to SEEDS - 1."""
    dim: int = 3
    """Number of latents d."""
    steps: int = 1600
    """Of training, with 512 samples (256 pairs) each, or half as many images; four starts of an
    eighth compete before."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"seeds must be at least 1; got {self.seeds}.")
        for name, known in (("world", (*WORLDS, *RENDERED)), ("objective", OBJECTIVES)):
            for given in getattr(self, f"{name}s"):
                if given not in known:
                    raise unknown_name(name, given, known)
        if not self.cells:
            raise InputError(
                "no world has what an objective needs: objectives of labels "
                f"({', '.join(OF_LABELS)}) need one of {', '.join(LABELLED)}."
            )

    @property
    def cells(self) -> tuple[GenealogyCellConfig, ...]:
        """Row by row; worlds without labels have no cells of objectives that need them."""
        return tuple(
            GenealogyCellConfig(
                world=world, objective=objective, dim=self.dim, seed=seed, steps=self.steps
            )
            for world in self.worlds
            for objective in self.objectives
            if meets(world, objective)
            for seed in range(self.seeds)
        )

"""The one list of studies: name, version, config, help and cost, light to import.

The command line, `reproduce --list`, `report`, the docs' index and the tests are made from it; the
study itself, which computes, is imported when it is first used.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from identikit.core.errors import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of a study without importing it."""

    name: str
    """The command that makes its runs, without `identikit`."""
    version: int
    """Raised when a change of code changes the numbers or the form of its results; part of the
    hash of its runs, so that a change in one study orphans nothing of the others."""
    study: str
    """Where it stands, as module:NAME below identikit."""
    config: str
    """Where its config stands; light to import."""
    help: str
    """One sentence: what it asks."""
    details: str = ""
    """More of the help, with an example."""
    jobs: bool = False
    """Whether it is made of many runs, which may go to other processes and machines."""
    command: bool = True
    """Whether users give it by name; cells of a table are made by the table."""
    core_minutes: int | float | None = None
    """On one core by default, where that was measured."""


ENTRIES = (
    Entry(
        name="simulate",
        version=13,
        study="studies.simulation.study:SIMULATE",
        config="studies.simulation.config:SimulationConfig",
        help="Train on a simulated world and compare what was recovered with what theory predicts.",
    ),
    Entry(
        name="simulate --diagnose",
        version=13,
        study="studies.simulation.study:DIAGNOSE",
        config="studies.simulation.config:DiagnosisConfig",
        help="Find out by experiments why a simulation recovered less than was predicted.",
        command=False,
    ),
    Entry(
        name="train",
        version=8,
        study="studies.train.study:TRAIN",
        config="studies.train.config:TrainConfig",
        help="Train a network on your own images with DIET, classes or InfoNCE, and say what it "
        "knows.",
    ),
    Entry(
        name="probe",
        version=11,
        study="studies.probe.study:PROBE",
        config="studies.probe.config:ProbeConfig",
        help="Ask what is linearly in anybody's features, how sure that is, and what was learned.",
    ),
    Entry(
        name="probe --layers",
        version=6,
        study="studies.probe.study:PROBE_LAYERS",
        config="studies.probe.config:ProbeLayersConfig",
        help="Ask the same of each of several layers, and where each factor is best read.",
        command=False,
    ),
    Entry(
        name="analogies",
        version=1,
        study="studies.analogies.study:ANALOGIES",
        config="studies.analogies.config:AnalogiesConfig",
        help="Ask whether a change of one factor, or from a word to its pair, is one step.",
        details="Example: identikit analogies features --factors table.csv --key key\n\n"
        "Of words: identikit analogies vectors.npz --pairs pairs.csv, or --questions "
        "questions-words.txt.",
    ),
    Entry(
        name="compare",
        version=6,
        study="studies.compare.study:COMPARE",
        config="studies.compare.config:CompareConfig",
        help="Ask how alike two models are on the same samples, and on which part they must be.",
    ),
    Entry(
        name="compare --layers",
        version=1,
        study="studies.compare.study:COMPARE_LAYERS",
        config="studies.compare.config:CompareLayersConfig",
        help="Ask the same of each layer of one model beside each layer of another.",
        command=False,
    ),
    Entry(
        name="unmix",
        version=9,
        study="studies.unmix.study:UNMIX",
        config="studies.unmix.config:UnmixConfig",
        help="Turn a representation into independent components, and ask which can be named.",
        details="Example: identikit unmix h.npy --factors z.csv",
    ),
    Entry(
        name="reproduce coil20",
        version=6,
        study="studies.paper.coil20.study:COIL20",
        config="studies.paper.coil20.config:Coil20Config",
        help="Train on photographs of 20 objects and ask what is known of object and azimuth.",
        details="Example: identikit reproduce coil20 --data coil20.mat\n\n"
        "A run that was stopped or killed goes on when the same command is given again.",
        core_minutes=2,
    ),
    Entry(
        name="reproduce dislib",
        version=6,
        study="studies.paper.dislib.study:DISLIB",
        config="studies.paper.dislib.config:DisLibConfig",
        help="Taught one factor of an image grid, what do networks know of the others? (Table 4)",
        details="Example: identikit reproduce dislib --budget laptop --worlds sprites "
        "--encoders pixels mlp\n\nCells that were made before are found; a table that was stopped "
        "or killed goes on when the same command is given again.",
        jobs=True,
        core_minutes=20,
    ),
    Entry(
        name="reproduce imagenet-x",
        version=7,
        study="studies.paper.imagenet_x.study:IMAGENET_X",
        config="studies.paper.imagenet_x.config:ImageNetXConfig",
        help="Taught ImageNet's classes, what do networks know of how its images vary? (Figure 3)",
        details="Example: identikit reproduce imagenet-x --images imagenet/val\n\n"
        "The images are yours to bring; the annotations come with the package imagenet-x, for "
        "non-commercial use. Features are kept, and what was read out is found: a run that was "
        "stopped or killed goes on when the same command is given again.",
    ),
    Entry(
        name="reproduce genealogy",
        version=3,
        study="studies.genealogy.study:GENEALOGY",
        config="studies.genealogy.config:GenealogyConfig",
        help="What do seven objectives, GCL to SIGReg, recover in five worlds, and up to what?",
        details="Example: identikit reproduce genealogy --worlds uniform-pairs --objectives "
        "infonce vicreg\n\nCells that were made before are found; a matrix that was stopped or "
        "killed goes on when the same command is given again.",
        jobs=True,
        core_minutes=25,
    ),
    Entry(
        name="reproduce diet-pixels",
        version=1,
        study="studies.diet_pixels.study:DIET_PIXELS",
        config="studies.diet_pixels.config:DietPixelsConfig",
        help="Does DIET find factors in pixels: of rendered worlds, of COIL-20, of ETH-80?",
        details="Example: identikit reproduce diet-pixels --coil20 coil20.mat --eth80 eth80.zip\n\n"
        "Trainings that were made before are found; a table that was stopped or killed goes on "
        "when the same command is given again.",
        jobs=True,
        core_minutes=24,
    ),
    Entry(
        name="reproduce scores",
        version=2,
        study="studies.scores.study:SCORES",
        config="studies.scores.config:ScoresConfig",
        help="Which scores say what is so, of codes of which it is known what they identify?",
        details="Example: identikit reproduce scores --seeds 5\n\n"
        "A run that was stopped or killed goes on when the same command is given again.",
        core_minutes=6,
    ),
    Entry(
        name="reproduce superposition",
        version=2,
        study="studies.superposition.study:SUPERPOSITION",
        config="studies.superposition.config:SuperpositionConfig",
        help="Of more sparse factors than dimensions, what do probes, ICA and sparse codes read?",
        details="Example: identikit reproduce superposition --ratios 1 2 --active 2 --seeds 1\n\n"
        "Cells that were made before are found; a table that was stopped or killed goes on when "
        "the same command is given again.",
        jobs=True,
    ),
    Entry(
        name="reproduce",
        version=10,
        study="studies.sweeps.study:SWEEP",
        config="studies.sweeps.config:SweepConfig",
        help="Run a named study: many simulations, one table of predicted, recovered, explained.",
        details="Example: identikit reproduce table3 --workers 4\n\n"
        "Runs that were made before are found; a study that was stopped or killed goes on when the "
        "same command is given again. Without a name, or with --list, all studies are listed.",
        jobs=True,
    ),
    Entry(
        name="genealogy-cell",
        version=3,
        study="studies.genealogy.study:GENEALOGY_CELL",
        config="studies.genealogy.config:GenealogyCellConfig",
        help="One cell of the matrix of `reproduce genealogy`.",
        command=False,
    ),
    Entry(
        name="diet-pixels-cell",
        version=1,
        study="studies.diet_pixels.study:DIET_PIXELS_CELL",
        config="studies.diet_pixels.config:PhotographsConfig",
        help="One training on photographs of `reproduce diet-pixels`.",
        command=False,
    ),
    Entry(
        name="superposition-cell",
        version=1,
        study="studies.superposition.study:SUPERPOSITION_CELL",
        config="studies.superposition.config:SuperpositionCellConfig",
        help="One cell of the table of `reproduce superposition`.",
        command=False,
    ),
    Entry(
        name="dislib-cell",
        version=6,
        study="studies.paper.dislib.study:DISLIB_CELL",
        config="studies.paper.dislib.config:CellConfig",
        help="One cell of the table of `reproduce dislib`.",
        command=False,
    ),
)
STUDIES: Mapping[str, Entry] = {entry.name: entry for entry in ENTRIES}


def entry_of(name: str) -> Entry:
    """What is known of the study of that name.

    Raises:
        InputError: no such study.
    """
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    return STUDIES[name]

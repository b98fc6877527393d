"""All commands by name: where each stands and what it does; none is imported before its turn.

A new study gets its command from its entry in `runs/registry.py`; a command that is no study is one
small file here and a line below.
"""

from dataclasses import dataclass

from identikit.runs.registry import STUDIES


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is no study."""

    place: str
    """Its dataclass, as module:NAME below identikit; the fields are the options."""
    help: str


_OTHERS = {
    "demo": Command(
        "cli.simulate:Demo",
        "Watch a network recover hidden factors on a sphere, and get a page about it.",
    ),
    "simulate": Command("cli.simulate:Simulate", STUDIES["simulate"].help),
    "theory": Command(
        "cli.simulate:Theory", "Say what theory predicts of a simulated world, without training."
    ),
    "train": Command("cli.train:Train", STUDIES["train"].help),
    "layers": Command(
        "cli.layers:Layers",
        "List the layers of a model, in the order of computation, with their output shapes.",
    ),
    "extract": Command(
        "cli.extract:Extract",
        "Read any layers of any model over images, sentences or other data, for `identikit probe`.",
    ),
    "probe": Command("cli.probe:Probe", STUDIES["probe"].help),
    "compare": Command("cli.compare:Compare", STUDIES["compare"].help),
    "data": Command("cli.data:Data", "List, fetch and check image grids on disk."),
    "reproduce": Command("cli.reproduce:Reproduce", STUDIES["reproduce"].help),
    "report": Command("cli.report:Report", "Draw the page and the figures of a saved run again."),
    "runs": Command("cli.runs:Runs", "Find, compare, name and delete runs."),
    "site": Command("cli.site:Site", "Make a static, offline site of a folder of runs."),
    "export": Command(
        "cli.bundles:Export", "Write a run as one file that others can check and make again."
    ),
    "verify": Command(
        "cli.bundles:Verify", "Check such a file, run it again, and say which numbers agree."
    ),
    "papers": Command(
        "cli.papers:Papers", "Make one page of a paper, the papers that cite it and those it cites."
    ),
}
_ORDER = (
    "demo",
    "simulate",
    "theory",
    "train",
    "layers",
    "extract",
    "probe",
    "analogies",
    "compare",
    "unmix",
    "data",
    "reproduce",
    "report",
    "runs",
    "site",
    "export",
    "verify",
    "papers",
)


def helps() -> dict[str, str]:
    """What each command does, in the order of a reader's work."""
    words = {name: command.help for name, command in _OTHERS.items()}
    words |= {e.name: e.help for e in STUDIES.values() if e.command and " " not in e.name}
    return {name: words[name] for name in (*_ORDER, *(set(words) - set(_ORDER)))}


def other(name: str) -> Command | None:
    """The command of that name if it is no study's own."""
    return _OTHERS.get(name)


def reproducible() -> dict[str, str]:
    """The studies behind `identikit reproduce NAME` that have options of their own."""
    named = {e.name.partition(" ")[2]: e.name for e in STUDIES.values() if e.command}
    return {short: name for short, name in named.items() if short}

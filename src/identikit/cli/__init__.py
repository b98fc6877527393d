"""The command line: parses, calls a study, prints. It computes nothing.

A study's command is made of its entry in `runs/registry.py`; every other command is a dataclass,
its fields the options, its docstring the help: one small file here and a line in `commands.py`.
"""

from identikit.cli.main import main

__all__ = ["main"]

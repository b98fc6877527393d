"""The command line: parses, calls a study, prints. It computes nothing.

Every command is a dataclass: its fields are the options, its docstring the help. A new command
is one small file here and a name in `main.COMMANDS`.
"""

from identikit.cli.main import main

__all__ = ["main"]

"""`python -m identikit`: the command line."""

from identikit.cli import main

if __name__ == "__main__":
    main()

"""`python -m anomagent`: the command line."""

from anomagent.cli import main

if __name__ == "__main__":
    main()

"""The command line: one command a file, and the entry point that turns whatever happens into an exit code.

0 done; 1 a fault of ours, with a traceback; 2 wrong use or configuration; 3 done, but something failed;
130 interrupted.
"""

import io
import os
import sys

import typer

from anomagent.cli.app import app
from anomagent.cli.console import complain
from anomagent.errors import AnomagentError, UsageError

INTERRUPTED = 130
"""128 + SIGINT, as shells count."""
PIPE_CLOSED = 141
"""128 + SIGPIPE."""


def main() -> None:
    """The console entry point `anomagent`. Errors that a user can act on are one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on (`anomagent ... | head`): no complaint, and none from the interpreter's last flush either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    sys.exit(code)


def _run() -> int:
    try:
        code = app(prog_name="anomagent", standalone_mode=False)
    except AnomagentError as error:
        complain(str(error))
        return error.exit_code
    except typer.TyperException as error:
        if message := error.format_message():  # empty after a help text that was not asked for
            complain(f"{message.rstrip('.')} (see `{_command(error)} --help`)")
        return UsageError.exit_code
    except SystemExit as ended:
        if not ended.code:
            return 0
        # Typer meets a closed pipe first, and ends as if it were a fault.
        raise BrokenPipeError from ended
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        complain("interrupted; finished calls are kept, run the same command again to resume")
    return code or 0


def _command(error: typer.TyperException) -> str:
    """The command that was misused, as the user would type it."""
    context = getattr(error, "ctx", None)
    return context.command_path if context else "anomagent"

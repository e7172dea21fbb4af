"""Why a training run ends before its end."""

from anomagent.errors import AnomagentError


class TrainingStopped(AnomagentError):
    """Training ended before its last step; the message says why, at which step, and what is kept."""

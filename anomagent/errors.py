"""The one exception tree. The command line prints these in one line; anything else is a bug and shows a traceback.

AnomagentError
├── UsageError            wrong use: an unreadable image, a bad flag, a missing extra        (exit code 2)
│   └── ConfigurationError   a setting that cannot work: unknown key, missing API key
├── StoreError            the workspace cannot be read or written (full disk, newer schema)
├── TrainingStopped       fine-tuning ended before its last step (anomagent.finetune.stopping; exit code 3)
└── ModelError            one call to a model did not give a usable answer
    ├── Refused              the model declined to look at this image
    ├── CutOff               the answer did not fit into the largest allowed size
    ├── Malformed            the answer was not the reply that was asked for, after one repair turn
    ├── RateLimited          the server kept saying "too many requests"
    ├── Unavailable          the server could not be reached, timed out or failed (5xx)
    ├── BadRequest           the server or model will never accept this request (4xx, wrong key, foreign image)
    └── OutOfBudget          the next call would pass the budget
"""

from collections.abc import Mapping


class AnomagentError(Exception):
    """Base of every error that a user can act on. The message is one line that says what to do."""

    exit_code = 3


class UsageError(AnomagentError):
    """Wrong use, found before any work or money was spent."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting that cannot work."""


class StoreError(AnomagentError):
    """The workspace cannot be read or written."""


class ModelError(AnomagentError):
    """One call gave no usable answer; `code` names the kind of failure wherever failures are listed."""

    code = "model_error"
    call: Mapping[str, object] | None = None
    """The call's `CallRef`: what the failure cost. None where the error did not pass through the seam."""
    retry_after: float | None = None
    """Seconds after which the server wants to be asked again, where it said so."""
    billed: float = 0.0
    """US dollars that requests without an answer may have cost: a server that was too slow may bill them."""


class Refused(ModelError):
    """The model declined; asking again costs money and rarely helps."""

    code = "refused"


class CutOff(ModelError):
    """The answer ended for length even at the largest allowed size."""

    code = "cut_off"


class Malformed(ModelError):
    """The answer was not the reply asked for, even after the repair turn."""

    code = "malformed"


class RateLimited(ModelError):
    """The server kept answering "too many requests"."""

    code = "rate_limited"


class Unavailable(ModelError):
    """The server could not be reached, timed out or failed."""

    code = "unavailable"


class BadRequest(ModelError):
    """The request can never succeed as it is: wrong key, unknown model, an image the model cannot take."""

    code = "bad_request"


class OutOfBudget(ModelError):
    """The next call would pass the budget."""

    code = "out_of_budget"

# pyright: basic
"""Where a backbone computes, and whether bf16 is of any use there."""

import re
from pathlib import Path
from typing import Any, Final

from anomagent.errors import ConfigurationError

CPU_FEATURES: Final = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""What Linux calls arithmetic in bf16: two kinds of x86, and ARM."""

_KNOWN: Final = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")
_CPU_FACTS: Final = Path("/proc/cpuinfo")


def check_device(name: str) -> None:
    """Raises `ConfigurationError` for what is not the name of a device, whether it is there or not."""
    if not _KNOWN.fullmatch(name):
        raise ConfigurationError(f"device {name!r} is unknown; choose one of auto, cpu, cuda, cuda:N, mps")


def find_device(name: str) -> str:
    """The torch device behind a name. Raises `ConfigurationError` where it cannot be used."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(f"device {name} cannot be used here; choose auto or cpu") from error
    return name


def why_bf16_is_slow(device: Any) -> str | None:
    """A line for whoever chose bf16 on a torch device that has no such arithmetic; None where it has, or nobody knows.

    The numbers are those of bf16 all the same, only the gain in time is lost.
    """
    import torch

    if device.type == "cuda":
        with torch.cuda.device(device):
            if torch.cuda.is_bf16_supported(including_emulation=False):
                return None
        return "this GPU has no bf16 arithmetic: bf16 saves memory and no time; --precision fp32 is exact"
    if device.type == "cpu" and _cpu_lacks_bf16():
        return "this CPU has neither amx_bf16 nor avx512_bf16: bf16 is no faster here; --precision fp32 is exact"
    return None


def _cpu_lacks_bf16() -> bool:
    try:
        facts = set(_CPU_FACTS.read_text(errors="replace").split())
    except OSError:
        return False
    return bool(facts & {"flags", "Features"}) and not facts & CPU_FEATURES

"""The file of results: one JSON object an image, one a line, appended as each is done."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, Self, cast

from anomagent.benchmark.items import Item
from anomagent.errors import StoreError, UsageError
from anomagent.state.findings import Analysis, UsageTotals
from anomagent.store.database import DISK_FULL

_BEGINNING: Final = b'{"image"'
"""How each line begins."""


class ResultsFile:
    """A JSON lines file that a batch continues: images that it holds as ok are not written again.

    A line is known by the image's name, its content and the configuration. A last line that was cut off by a crash is
    removed. An image that failed and was tried again has two lines: the later one counts. Close it, or use it as a
    context.
    """

    def __init__(self, path: Path) -> None:
        """Raises `UsageError` for a file that holds anything else than results or cannot be opened."""
        self._path = path
        try:
            with ExitStack() as opened:
                self._file = opened.enter_context(path.open("a+b", buffering=0))
                self._done = set(_done(self._file, path))
                opened.pop_all()
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{path}: cannot be opened ({reason}); choose another file for --results") from error

    def has(self, item: Item, sha256: str, configurations: Iterable[str]) -> bool:
        """Whether this content was in the file under this name, as ok, when it was opened."""
        return any(_key(item.name, sha256, configuration) in self._done for configuration in configurations)

    def write(
        self, item: Item, result: Mapping[str, Any] | Analysis, configuration: str | None, again: bool = False
    ) -> None:
        """Append a result as `run --json` prints it; behind it its configuration and what the manifest says.

        With `again` the result is an earlier one or that of another name: it costs nothing. Raises `StoreError`.
        """
        entry = result.model_dump(mode="json") if isinstance(result, Analysis) else dict(result)
        entry |= {"image": item.name, "configuration": configuration}
        if again:
            entry |= {"usage": UsageTotals().model_dump(), "seconds": 0.0}
        line = (json.dumps(entry | item.details, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        try:
            written = self._file.write(line)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            problem = DISK_FULL if full else f"cannot be written ({error.strerror}); mend it and run again"
            raise StoreError(f"{self._path}: {problem}") from error
        if written != len(line):
            raise StoreError(f"{self._path}: {DISK_FULL}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _done(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """The keys of what the file holds as ok; half a line at the end is cut off, a whole one is ended."""
    file.seek(0)
    whole = 0
    with open(file.fileno(), "rb", closefd=False) as lines:
        for number, line in enumerate(lines, 1):
            is_end = not line.endswith(b"\n")
            if is_end and (whole or line.startswith(_BEGINNING)) and not _is_json(line):
                os.truncate(file.fileno(), whole)
                return
            entry = _entry(line, f"{path}: line {number}")
            if entry["status"] == "ok":
                yield _key(*(str(entry.get(part)) for part in ("image", "sha256", "configuration")))
            if is_end:
                file.write(b"\n")
                return
            whole += len(line)


def _key(*parts: str) -> bytes:
    """What a line is known by, in 16 bytes."""
    return hashlib.sha256(json.dumps(parts).encode()).digest()[:16]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _entry(line: bytes, place: str) -> dict[str, object]:
    entry = json.loads(line) if _is_json(line) else None
    if not isinstance(entry, dict) or not {"image", "status"} <= cast(dict[str, object], entry).keys():
        raise UsageError(f"{place}: is no result of a batch; choose another file for --results")
    return cast(dict[str, object], entry)

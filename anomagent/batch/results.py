"""The file of results: one JSON object an image, one a line, appended as each is done."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Self, cast

from anomagent.batch.items import Item
from anomagent.errors import StoreError, UsageError
from anomagent.state.findings import Analysis, UsageTotals


class ResultsFile:
    """A JSON lines file that a batch continues: images that it holds as ok are not written again.

    A last line that was cut off by a crash is removed. An image that failed and was tried again has two lines: the
    later one counts. Close it, or use it as a context.
    """

    def __init__(self, path: Path) -> None:
        """Raises `UsageError` for a file that holds anything else than results or cannot be opened."""
        self._path = path
        try:
            with ExitStack() as opened:
                self._file = opened.enter_context(path.open("a+b", buffering=0))
                self._done = set(_names(self._file, path))
                opened.pop_all()
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{path}: cannot be opened ({reason}); choose another file for --results") from error

    def has(self, item: Item) -> bool:
        """Whether the image was in the file, as ok, when it was opened."""
        return item.name in self._done

    def write(self, item: Item, result: Mapping[str, Any] | Analysis, again: bool = False) -> None:
        """Append a result as `run --json` prints it, with what the manifest says about the image behind it.

        With `again` the result is an earlier one or that of another name: it costs nothing. Raises `StoreError`.
        """
        entry = result.model_dump(mode="json") if isinstance(result, Analysis) else dict(result)
        entry["image"] = item.name
        if again:
            entry |= {"usage": UsageTotals().model_dump(), "seconds": 0.0}
        line = (json.dumps(entry | item.details, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        try:
            written = self._file.write(line)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written ({error.strerror}); free space and run again") from error
        if written != len(line):
            raise StoreError(f"{self._path}: disk full; free space and run again: finished calls are kept")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _names(file: IO[bytes], path: Path) -> Iterator[str]:
    """The images that the file holds as ok; half a line at the end is cut off."""
    file.seek(0)
    whole = 0
    with open(file.fileno(), "rb", closefd=False) as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                os.truncate(file.fileno(), whole)
                return
            whole += len(line)
            entry = _entry(line, f"{path}: line {number}")
            if entry["status"] == "ok":
                yield str(entry["image"])


def _entry(line: bytes, place: str) -> dict[str, object]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or not {"image", "status"} <= cast(dict[str, object], entry).keys():
        raise UsageError(f"{place}: is no result of a batch; choose another file for --results")
    return cast(dict[str, object], entry)

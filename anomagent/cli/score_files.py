"""The folder that an evaluation writes: every figure traceable to the sentences behind it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anomagent.benchmark.files import whole_file
from anomagent.cli.console import note
from anomagent.errors import UsageError

if TYPE_CHECKING:
    from anomagent.evaluation.deepfake import Verdicts
    from anomagent.evaluation.evaluate import Evaluation
    from anomagent.evaluation.judge_report import Judged


def write_folder(
    folder: Path,
    form: Literal["csv", "parquet"],
    result: Mapping[str, Any],
    evaluation: "Evaluation",
    verdicts: "Verdicts | None" = None,
    judged: "Sequence[Judged] | None" = None,
) -> None:
    """Write the tables images, matches and, where there are such, verdicts and judged; result.json comes last.

    The plot curve.svg is there where the result has a curve. Each file is written whole or not at all. Raises
    `UsageError` where one cannot be written.
    """
    from anomagent.evaluation import tables
    from anomagent.evaluation.table_files import write_table

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(tables.IMAGE_COLUMNS, tables.image_rows(evaluation.scores), folder / f"images.{form}")
        matches = tables.match_rows(evaluation.scores, evaluation.pairing.pairs)
        write_table(tables.MATCH_COLUMNS, matches, folder / f"matches.{form}")
        if verdicts:
            write_table(tables.VERDICT_COLUMNS, tables.verdict_rows(verdicts), folder / f"verdicts.{form}")
        if judged is not None:
            write_table(tables.JUDGED_COLUMNS, tables.judged_rows(judged), folder / f"judged.{form}")
        if "curve" in result:
            from anomagent.report.evaluation import curve_of, draw_threshold_curve

            _write(folder / "curve.svg", draw_threshold_curve(curve_of(evaluation, result)))
        _write(folder / "result.json", json.dumps(result, ensure_ascii=False, indent=1))
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror}; choose another folder for --out") from error
    note(f"wrote {folder}/")


def _write(file: Path, text: str) -> None:
    """Write UTF-8, half a surrogate pair as its escape."""
    with whole_file(file) as unfinished:
        unfinished.write_bytes(text.encode("utf-8", "backslashreplace"))

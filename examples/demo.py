"""Analyse a rendered scene with the embedded model and print what was found beside what was planted.

python examples/demo.py [SCENE.png]
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from anomagent import Analysis, analyze

SCENES = Path(__file__).parent / "scenes"
DEFAULT = SCENES / "images" / "scene-1006.png"


def planted_in(image: Path) -> list[dict[str, str]]:
    """The ground truth of a rendered scene, in the benchmark's format."""
    return json.loads((image.parent.parent / "annotations.json").read_text())[image.name]


def show(image: Path, analysis: Analysis) -> None:
    """Two tables: planted and found. Severity is realism: 0 = completely implausible, 100 = fully realistic."""
    console = Console()
    tables = {
        "planted": [
            (entry["Name"], entry["Observed Phenomenon"], entry["Reasoning"], entry["Severity Score"])
            for entry in planted_in(image)
        ],
        "found": [
            (anomaly.name, anomaly.phenomenon, anomaly.reasoning, f"{anomaly.severity}/100")
            for anomaly in analysis.anomalies
        ],
    }
    for title, rows in tables.items():
        table = Table("name", "phenomenon", "reasoning", "severity", title=title, title_justify="left", expand=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    usage = analysis.usage
    console.print(
        f"{image.name}: {analysis.status}, {usage.calls} calls to the embedded model, {analysis.seconds:.1f} s"
    )


def main() -> None:
    """Analyse in a throw-away workspace."""
    image = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    with tempfile.TemporaryDirectory() as workspace:
        analysis = asyncio.run(analyze(image, model="embedded", schedule="lean", workspace=workspace))
    show(image, analysis)
    sys.exit(0 if analysis.status == "ok" else 3)


if __name__ == "__main__":
    main()

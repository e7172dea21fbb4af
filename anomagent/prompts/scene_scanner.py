"""SceneScanner: the whole image in one look, a safety net for what objects miss (the paper's stage 3)."""

from pydantic import Field

from anomagent.prompts.base import Prompt, Reply, Template


class ScannedAnomaly(Reply):
    """One anomaly seen in the image as a whole."""

    objects: list[str] = Field(description="the objects concerned, the anomalous one first")
    phenomenon: str = Field(description="what is visibly wrong")
    explanation: str = Field(description="why it cannot be so")


class Scan(Reply):
    """Every anomaly of one scan, left to right."""

    anomalies: list[ScannedAnomaly]


EMPHASES = (
    "Emphasis of this scan: go from left to right and ask of every object whether it could exist like this.",
    "Emphasis of this scan: bodies and parts first, limbs, hands, faces, legs, wheels and handles, counted one by one, then the rest.",
    "Emphasis of this scan: physics first, support and gravity, contact, size, light, shadows, reflections and power, then the rest.",
)
"""One per scan; further scans start again."""

SCAN = Template(
    role="SceneScanner",
    step="scan",
    reply=Scan,
    source="""\
Task: look at the image as a whole, without help from the other agents, and report every semantic anomaly.
Ask of each thing whether its parts are complete and rightly counted, its colour, material and orientation natural, its function possible.
Ask whether something carries it, whether its size fits, whether it may be at this place, and whether light, shadow, reflection and text are right.
Ask also what no single object shows: contradictions between objects, in the perspective and in the story of the scene.
Report each anomaly once, with the objects concerned, the anomalous one first; number objects of one kind from left to right.
Do not report what is unusual but possible.
Order the anomalies from left to right.
Reply: {"anomalies": [{"objects": [...], "phenomenon": ..., "explanation": ...}]}
{{ emphasis }}""",
)


def render_scan(slot: int) -> Prompt:
    """The prompt of scan `slot` (0-based)."""
    return SCAN.render(emphasis=EMPHASES[slot % len(EMPHASES)])

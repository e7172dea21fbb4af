"""ObjectPerceiver: every distinct entity of the image, in varied passes, then merged (the paper's stage 1)."""

from pydantic import Field

from anomagent.prompts.base import Prompt, Reply, Template
from anomagent.state.findings import DetectedObject


class PerceivedObject(Reply):
    """One entity of the image."""

    name: str = Field(description="short common noun")
    description: str = Field(description="what it looks like and where it is, enough to find it again")


class ObjectList(Reply):
    """All entities of the image, left to right."""

    objects: list[PerceivedObject]


EMPHASES = (
    "Emphasis of this pass: go through the image from left to right and give every region the same attention.",
    "Emphasis of this pass: begin with people and animals and with what belongs to them, body parts, clothing and held things, then list everything else.",
    "Emphasis of this pass: begin with what is small, partly covered, far away, mounted high or standing on something else, then list the large things.",
)
"""One per pass; further passes start again. They change the order of looking, so that passes differ truly."""

LIST = Template(
    role="ObjectPerceiver",
    step="list",
    reply=ObjectList,
    source="""\
Task: list every semantically distinct object in the image, the ordinary ones as well as the strange ones.
Be complete: people, animals, plants, vehicles, furniture, devices, tools, toys, food, signs and things fixed to walls all count.
For a person, name also body parts, clothing and held things, as objects of their own where they are strange by themselves, otherwise in the description of the person.
Sky, ground, floor, walls, windows and shadows are background and not objects.
Give each object its plain noun as name; several objects of one kind are separate entries, never one entry.
Describe each object so that another agent finds exactly this one: main colour, what carries it, where in the picture it is, and what tells it apart from similar ones.
Put into the description whatever looks odd in shape and structure, material, lighting, physical behaviour, common sense or human anatomy.
Do not explain or judge, and do not list what is hidden or merely likely.
Order the objects from left to right.
Reply: {"objects": [{"name": ..., "description": ...}]}
{{ emphasis }}""",
)

MERGE = Template(
    role="ObjectPerceiver",
    step="merge",
    reply=ObjectList,
    source="""\
Task: several passes over this image each listed its objects; unite the lists into one list without duplicates.
Two entries are the same object when they mean the same thing at the same place, even if name or wording differ; look at the image to decide.
Different objects of one kind stay separate entries.
Keep an object that only one pass found, if the image shows it; drop what the image does not show.
Unite the descriptions of an object: keep colour, support, place and every oddity that was noticed.
Order the objects from left to right.
Reply: {"objects": [{"name": ..., "description": ...}]}
{% for objects in passes %}

Pass {{ loop.index }}:
{% for object in objects %}
- {{ object.name }}: {{ object.description }}
{% else %}
- nothing
{% endfor %}
{% endfor %}""",
)


def render_list(slot: int) -> Prompt:
    """The prompt of perception pass `slot` (0-based)."""
    return LIST.render(emphasis=EMPHASES[slot % len(EMPHASES)])


def render_merge(passes: list[list[DetectedObject]]) -> Prompt:
    """The prompt that unites the passes."""
    return MERGE.render(passes=passes)

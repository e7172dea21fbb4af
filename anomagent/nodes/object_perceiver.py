"""ObjectPerceiver: T varied passes, united into one list of objects with unique names."""

from anomagent.models.types import Ask
from anomagent.nodes.base import Context, Update
from anomagent.prompts import object_perceiver as prompts
from anomagent.state.analysis import ObjectsState, PassTask
from anomagent.state.findings import DetectedObject, Failure
from anomagent.state.naming import unique_names


async def perceive_objects(task: PassTask, runtime: Context, *, ask: Ask) -> Update:
    """One perception pass."""
    prompt = prompts.render_list(task["slot"])
    answer = await ask(runtime.context, task["image"], prompt, prompts.ObjectList, slot=task["slot"])
    return {"perceptions": [_detected(answer.reply)], "calls": [answer.call]}


async def merge_objects(state: ObjectsState, runtime: Context, *, ask: Ask) -> Update:
    """Unite the passes by a call (`paper`) or take the only pass (`lean`), then name and bound the objects in code.

    Where every pass failed there is nothing to unite, and no `objects` are written.
    """
    passes = state.get("perceptions", [])
    if not passes:
        return {}
    if runtime.context.schedule != "paper":
        return _settle(passes[0], runtime.context.max_objects)
    named = [unique_names(objects) for objects in passes]
    answer = await ask(runtime.context, state["image"], prompts.render_merge(named), prompts.ObjectList)
    return _settle(_detected(answer.reply), runtime.context.max_objects) | {"calls": [answer.call]}


def _detected(reply: prompts.ObjectList) -> list[DetectedObject]:
    return [{"name": entry.name, "description": entry.description} for entry in reply.objects]


def _settle(objects: list[DetectedObject], most: int) -> Update:
    """Unique names for all; what exceeds `most` is left out and said so."""
    named = unique_names(objects)
    update: Update = {"objects": named[:most]}
    if len(named) > most:
        left_out = ", ".join(entry["name"] for entry in named[most:])
        failure: Failure = {
            "role": "ObjectPerceiver",
            "object": None,
            "error": "too_many_objects",
            "message": f"{len(named)} objects found, the limit is {most}; not analysed: {left_out}; raise max_objects",
        }
        update["failures"] = [failure]
    return update

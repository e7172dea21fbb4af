"""Instances and preference pairs in the shapes of trainers that people use instead of ours."""

from anomagent.finetune.exports.notes import Facts
from anomagent.finetune.exports.write import FORMATS, Format, write_exports, write_preferences

__all__ = ["FORMATS", "Facts", "Format", "write_exports", "write_preferences"]

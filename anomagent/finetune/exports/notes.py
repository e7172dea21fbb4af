"""What a trainer has to be told so that it trains on these files as our own does; a README beside each export."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Facts:
    """What the files were counted with."""

    model: str
    min_pixels: int
    max_pixels: int
    max_tokens: int
    layers: int | None
    """Of the language model; None: not known."""

    @property
    def lora_targets(self) -> list[str]:
        """The modules of the paper's LoRA: q, k and v of every fourth layer of the language model, from layer 0 on."""
        return [
            f"language_model.layers.{layer}.self_attn.{projection}_proj"
            for layer in range(0, self.layers or 0, 4)
            for projection in "qkv"
        ]


_COMMON: Final = """\
Made by `anomagent finetune data`. No instance takes more than {max_tokens} tokens under the tokenizer of {model} with
images of {min_pixels} to {max_pixels} pixels: give the trainer these bounds, or images take other numbers of tokens.
"""

_NOTES: Final = {
    "llama-factory": """\
    dataset_dir: this folder        # dataset_info.json names the files; image paths count from here
    dataset: {datasets}
    cutoff_len: {max_tokens}        # nothing is then cut
    image_min_pixels: {min_pixels}
    image_max_pixels: {max_pixels}
    freeze_vision_tower: true
    lora_target: {targets}
    # There is no option for "every fourth layer": the modules have to be named one by one.
""",
    "ms-swift": """\
    MIN_PIXELS={min_pixels} MAX_PIXELS={max_pixels} swift sft --dataset train.jsonl --max_length {max_tokens} \\
        --truncation_strategy raise --freeze_vit true

Its default strategy deletes samples that are too long without a word. Image paths are absolute.
""",
    "trl": """\
    data = load_dataset("json", data_files="train.jsonl", split="train").cast_column("images", List(Image()))

Set max_length=None (a length that cuts image tokens breaks the training midway) and give the processor
min_pixels={min_pixels}, max_pixels={max_pixels}. Without assistant-only loss it learns the questions as well. Image
paths are absolute.
""",
    "axolotl": """\
    datasets:
      - path: train.jsonl
        ds_type: json
        type: chat_template
        field_messages: messages
    skip_prepare_dataset: true
    remove_unused_columns: false
    sample_packing: false
    sequence_len: {max_tokens}

Image paths are absolute.
""",
    "llava": """\
    --data_path train.json --image_folder FOLDER_OF_THIS_FILE \\
        --image_min_pixels {min_pixels} --image_max_pixels {max_pixels} --freeze_vision_tower True

Image paths count from this folder.
""",
}


def note_for(format: str, facts: Facts, datasets: list[str], about: str = "") -> str:
    """The README of an export; `about` says what is special about its files."""
    targets = ",".join(facts.lora_targets) or "unknown: the model's configuration names no layers"
    values = {**vars(facts), "targets": targets, "datasets": ",".join(datasets)}
    title = f"# {format}\n\n"
    return title + _COMMON.format(**values) + (f"\n{about}\n" if about else "") + "\n" + _NOTES[format].format(**values)

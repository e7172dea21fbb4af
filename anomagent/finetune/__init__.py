"""Fine-tuning Qwen-VL models with LoRA: instances from annotations, the recipe, adapters (the paper's AnomReasonor)."""

"""Predictions of one model alone over a data set: the one-prompt baselines and fine-tuned models (Tables 1 and 2)."""

"""Trains the embedded model from scratch on rendered scenes (`python -m anomagent.scenes.training`)."""

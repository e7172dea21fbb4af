"""The graph: building it, running it with checkpoints, and showing it in Studio."""

"""Many images: what to analyse, in which order, within which bounds, and how it went."""

"""One agent role a file: what the model's reply does to the state."""

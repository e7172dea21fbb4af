"""Models: the only place that talks to one. `seam` is what nodes see; `registry` turns a model id into a client."""

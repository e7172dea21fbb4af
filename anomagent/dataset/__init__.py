"""Results as data sets: what was found, and what every agent said on the way, as files."""

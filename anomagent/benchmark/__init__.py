"""The benchmark's files and facts: annotations in every published shape, labels, kinds of anomaly, published results."""

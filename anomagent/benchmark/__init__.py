"""The benchmark's files and facts: annotations in every shape, labels, kinds of anomaly, published results."""

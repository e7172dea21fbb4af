"""One prompt an image, the whole answer: baselines and fine-tuned models over a data set."""

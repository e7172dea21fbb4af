"""SemAP and SemF1 in both protocols, deepfake detection, confidence intervals, judges."""

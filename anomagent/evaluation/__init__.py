"""SemAP and SemF1 in both protocols, deepfake detection, intervals and judges. Reads files and the store, never the graph."""

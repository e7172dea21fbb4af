"""Image generators compared by the anomalies of their images: MAI, AF, CAP, kinds, intervals."""

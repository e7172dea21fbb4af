"""How sure a figure is: resampling that evaluation and audit share."""

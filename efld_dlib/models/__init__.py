"""Model files: finding and loading shape predictors."""

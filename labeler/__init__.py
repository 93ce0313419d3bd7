"""Labeling app: people rank model outputs in a browser; the judgments become files that train a reward model."""

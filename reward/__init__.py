"""Reward models from rankings: train, evaluate, export, rerank."""

"""Evaluation of policies: who answers better, by people and by reward models, and which answers can be checked."""

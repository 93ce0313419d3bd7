"""Alembic migrations of the labeling database; part of the package, so that an installed wheel can run them."""

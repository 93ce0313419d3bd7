"""The REST API for people's own programs: `declare` says how operations are written, the other modules hold them."""

"""The words of the REST API: its bodies as frozen dataclasses, to and from JSON. Server and client share them."""

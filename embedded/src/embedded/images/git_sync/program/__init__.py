"""The stand-in's program as it lies in the image: Debian's Python 3.11 and nothing beside its library."""

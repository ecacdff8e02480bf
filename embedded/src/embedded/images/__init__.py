"""Container images made from packages, without a container engine."""

"""Helm releases, made by the real helm binary."""

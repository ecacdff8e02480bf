"""The admission webhook: what EKS injects into pods, and what the embedded cloud needs besides."""

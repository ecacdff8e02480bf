"""Faults, latency and AWS's own slowness, played by the embedded cloud while it runs; all off by default."""

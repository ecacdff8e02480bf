"""Waiting until an object does its work, or is gone, and saying what it waits for."""

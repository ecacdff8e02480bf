"""Components: one concept a file. They register resources; what to register is decided by pure functions."""

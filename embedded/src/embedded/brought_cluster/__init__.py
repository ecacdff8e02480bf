"""A cluster that the user brings: AWS and databases on this machine, pods over there."""

"""The cluster project's program."""

import gc

# As in the environment's program: nearly all that is made lives until the end.
gc.disable()

from infra.stacks import cluster  # noqa: E402

cluster.deploy()
gc.freeze()

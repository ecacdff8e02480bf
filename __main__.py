"""The environment's program."""

import gc

# Nearly all that this process makes (the SDKs' classes, the graph) lives until it ends. To look through that
# for garbage, again and again while it is made and once more at the end, is a third of what it computes.
gc.disable()

from infra.stacks import environment  # noqa: E402 - the imports are a good part of that

environment.deploy()
gc.freeze()

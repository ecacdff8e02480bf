"""The cluster project's program."""

from infra.stacks import cluster

cluster.deploy()

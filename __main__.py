"""The environment's program."""

from infra.stacks import environment

environment.deploy()

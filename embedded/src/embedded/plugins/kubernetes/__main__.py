"""`python -m embedded.plugins.kubernetes ENGINE_ADDRESS`: the plugin as the engine starts it."""

import sys
from importlib.metadata import version

from embedded.plugins.common.server import serve
from embedded.plugins.kubernetes.plugin import KubernetesPlugin

if __name__ == "__main__":
    sys.exit(serve(KubernetesPlugin(), version("pulumi-kubernetes"), sys.argv[1:]))

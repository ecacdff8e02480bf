"""`python -m embedded.plugins.aws ENGINE_ADDRESS`: the plugin as the engine starts it."""

import sys
from importlib.metadata import version

from embedded.plugins.aws.plugin import AwsPlugin
from embedded.plugins.common.server import serve

if __name__ == "__main__":
    sys.exit(serve(AwsPlugin(), version("pulumi-aws"), sys.argv[1:]))

"""`python -m embedded.plugins.aws ENGINE`: the plugin process that the engine starts."""

import sys
from importlib.metadata import version

from embedded.plugins.aws.provider import AwsProvider
from embedded.plugins.common.server import serve

if __name__ == "__main__":
    serve(AwsProvider(), version("pulumi-aws"), sys.argv[1:])

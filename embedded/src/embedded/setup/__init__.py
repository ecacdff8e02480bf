"""From a plain Debian machine to everything the embedded cloud starts: tools, packages, images."""

from embedded.setup.toolchain import Toolchain, toolchain

__all__ = ["Toolchain", "toolchain"]

"""git-sync for the node: a stand-in on Debian's git, since the real one is in no package registry."""

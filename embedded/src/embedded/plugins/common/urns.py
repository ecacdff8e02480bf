"""Parts of the engine's names for resources (URNs)."""


def type_of(urn: str) -> str:
    """The resource's own type; a URN carries the types of its parents before it."""
    return urn.split("::")[2].rpartition("$")[2]


def name_of(urn: str) -> str:
    """The logical name that the program gave the resource."""
    return urn.split("::", 3)[3]

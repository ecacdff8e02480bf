"""Names of services and operations, checked against boto3's models, so that no fault waits in vain."""

from __future__ import annotations

from difflib import get_close_matches

_PATTERN = frozenset("*?[")


def mistakes(service: str, operation: str) -> list[str]:
    """What is wrong with a target, with the nearest valid names; empty if nothing is."""
    import botocore.session

    session = botocore.session.get_session()
    services: list[str] = session.get_available_services()
    if _is_pattern(service):
        return []
    if service not in services:
        return [f"--service {service}: AWS has no such service{_nearest(service, services)}"]
    operations = list(session.get_service_model(service).operation_names)
    if _is_pattern(operation) or operation in operations:
        return []
    return [f"--operation {operation}: {service} has no such operation{_nearest(operation, operations)}"]


def _is_pattern(text: str) -> bool:
    return bool(_PATTERN & set(text))


def _nearest(text: str, known: list[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(text.lower(), by_lower, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(by_lower[name] for name in found)}?" if found else ""

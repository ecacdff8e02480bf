"""The `kubernetes` resource plugin: objects by server-side apply, and Helm releases through helm itself.

It answers for the resource types of pulumi-kubernetes, with that plugin's rules for names, replacement,
waiting and secrets. What it does not emulate it refuses by name.
"""

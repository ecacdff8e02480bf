"""A real Kubernetes node, made of plain processes in a network namespace of its own."""

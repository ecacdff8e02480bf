"""Network policies, enforced on the node as EKS enforces them on its own.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

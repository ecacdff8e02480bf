"""Security checks of recorded programs, with the ids of public baselines; waivers are data.

Sources of the ids: AWS Foundational Security Best Practices, CIS AWS Foundations 5.0, CIS EKS 1.8, checkov.
"""

"""IAM policies: an evaluator of their documents with conditions, which moto's does not have.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

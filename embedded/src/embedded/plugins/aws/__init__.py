"""The `aws` plugin: resource types of pulumi-aws as declarations over boto3 calls.

A type is one `ResourceType` in `types/<service>.py`. Everything a type does not say (checking, comparing,
tags, secrets, unknown values, errors) is done once, in this package.
"""

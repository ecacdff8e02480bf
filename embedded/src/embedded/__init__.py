"""The embedded cloud: an AWS account and a Kubernetes cluster on one Linux machine."""

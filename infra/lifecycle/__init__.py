"""The commands of `airflow-env`: what is done around the resource graph, before and after `pulumi up`.

No resources are registered here. The commands use the environment alone (AWS credentials and endpoint,
Pulumi's backend, tools on PATH), so the same command serves an AWS account and any other implementation of
its API.
"""

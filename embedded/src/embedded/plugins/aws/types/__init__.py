"""The declared resource types, one file per AWS service (two where one would be long).

Facts on replacement, defaults and deletion are those of the documentation page that a type's comment
names, under https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ (the pages of
pulumi-aws's types are generated from them), and of the AWS API reference where that is named.
"""

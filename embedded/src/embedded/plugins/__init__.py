"""Resource plugins for the Pulumi engine: what `pulumi up` talks to when it manages this cloud."""

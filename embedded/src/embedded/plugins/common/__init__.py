"""What the resource plugins share: property values, errors and the gRPC server."""

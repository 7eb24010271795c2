"""Configuration: parsed once, strict, every number checked against the others before anything starts."""

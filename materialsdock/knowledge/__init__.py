"""Everything that all earlier jobs know."""

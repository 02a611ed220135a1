"""Code that two techniques would write alike."""

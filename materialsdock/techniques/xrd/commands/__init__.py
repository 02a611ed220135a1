"""Commands of powder diffraction."""

"""EXAFS: background, χ(k), its transform, the first shell."""

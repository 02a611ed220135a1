"""Numbers, figures, pages, files and options, the same everywhere."""

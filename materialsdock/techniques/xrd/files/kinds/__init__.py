"""One reader for each kind of powder file that announces itself."""

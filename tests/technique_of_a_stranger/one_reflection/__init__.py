"""The technique "reflection" for materialsdock: where one reflection is."""

"""What can be wrong in a catalog, looked for one idea at a time."""

"""What the chapters need beyond the library: checks, exercises, live figures, widgets, which need the `book` extra."""

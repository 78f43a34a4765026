"""cogwork."""

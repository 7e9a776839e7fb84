"""What is wrong with a camera's pictures: frozen, dark, covered, defocused, moved."""

"""What the notebooks and the book stand on."""

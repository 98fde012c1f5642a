"""How each category is built: from a random generator to a Rig."""

"""The compared methods' mechanisms on the same backbone: one module each, chosen by a configuration value. None is here yet."""

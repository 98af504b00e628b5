"""What things are: frozen values without I/O, clock or dependence on the rest of the program."""

"""The groups of `kapsula`'s commands, one module each."""

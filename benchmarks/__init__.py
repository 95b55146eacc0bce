"""What things cost, measured: scripts that print a table."""

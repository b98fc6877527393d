"""What every room may use: errors, factors, estimates, linear algebra, files."""

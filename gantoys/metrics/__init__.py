"""How good are generated points? numpy only."""

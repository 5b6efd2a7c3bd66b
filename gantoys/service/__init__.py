"""Runs for those who must not train themselves: the web process and the command line. No torch here."""

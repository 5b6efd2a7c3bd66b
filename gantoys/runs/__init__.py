"""What a run is: its config, its film, and the store of films. numpy and pydantic, no torch."""

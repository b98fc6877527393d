"""Studies: rooms composed into experiments; a run is a function of its frozen config."""

"""Small methods laid out as a plug-in lays out its own; `tests.toys` registers them."""

"""Equipment: how much each type and unit was used, when it was free, and whether there is enough of it."""

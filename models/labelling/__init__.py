"""Labels from other tools: read, checked, named by the catalogue and written as a data set."""

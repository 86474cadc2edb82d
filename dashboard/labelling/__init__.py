"""Labelling: a trainer draws, corrects and accepts boxes on pictures, from which `spotter model train` learns."""

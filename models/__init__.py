"""From footage to a detector: labels, data sets, YOLOv5, training, evaluation, export and the shipped weights."""

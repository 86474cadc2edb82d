"""`spotter bench dashboard`: how long pages and API calls take over a year of a busy gym."""

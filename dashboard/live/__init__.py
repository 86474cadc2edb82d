"""What is true now: watched in Redis, the database and the broker, and pushed to open pages."""

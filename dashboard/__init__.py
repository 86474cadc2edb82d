"""Facts in, people served: the web pages and the HTTP API."""

"""Where facts are kept: the tables that consumers write and the dashboard reads, and the way to them."""

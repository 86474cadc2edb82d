"""Facts -> people: the web pages, their API and what is needed to sign in."""

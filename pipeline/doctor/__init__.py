"""`spotter doctor`: looks at everything that Spotter needs on this machine, and says what to mend."""

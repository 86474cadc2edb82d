"""What all parts of Spotter share: settings, the event contract, topics, the catalogue, the command line."""

__version__ = "0.1.0"

"""What runs graphs for people: the command line and the entry points of the server."""

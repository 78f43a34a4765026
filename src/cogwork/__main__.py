"""`python -m cogwork` is the command line."""

from cogwork.runtime.cli import main

main()

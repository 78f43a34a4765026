#!/usr/bin/env bash
# The demonstration of `make demo`: an agent does a job on real files, and remembers it.
set -euo pipefail
thread="demo-$(date +%s)"

say() { printf '\n$ cogwork run react --thread %s \\\n    "%s"\n\n' "$thread" "$1"; cogwork run react --thread "$thread" "$1"; }

say "Read notebooks/data/planets.csv, compute the total of the mass_1e24_kg column, and write the answer to demo.txt"
say "What was the total again?"
printf '\n$ cat demo.txt\n\n%s\n' "$(cat demo.txt)"

"""The parts of `cogwork.core.embeddings`: the static table, its word pieces, the checks."""

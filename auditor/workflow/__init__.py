"""One file per use case; the only place where sources, engine, reporters and simulator meet."""

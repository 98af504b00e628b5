"""The command line: one file per verb that parses, calls a workflow and prints."""

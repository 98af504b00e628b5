"""`python -m auditor` is `entra-audit`."""

from auditor.cli.main import main

main()

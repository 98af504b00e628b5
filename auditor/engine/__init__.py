"""The judge: Snapshot to facts, rules and decisions to AuditResult. Pure: no clock, locale, hash order or network."""

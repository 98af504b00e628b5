"""Taking permissions away: plan, scripts, apply, verify and undo. The only package that writes to a tenant."""

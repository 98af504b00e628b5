"""The simulator: a Microsoft Graph tenant on loopback, grown from a Snapshot, that answers reads and takes writes."""

"""The simulator: a Microsoft Graph tenant on loopback, grown from a Snapshot; it only answers reads."""

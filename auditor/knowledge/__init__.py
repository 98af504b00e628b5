"""What is known beforehand: app profiles, permission families, identification, and the team's configuration."""

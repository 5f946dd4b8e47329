"""Compass: project-scoped API keys that a team can host itself."""

"""The production checklist: its points, and what each says about a running platform."""

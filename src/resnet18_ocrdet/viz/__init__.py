"""Pictures, curves and pages."""

"""What each command does, once its config has passed the checks."""

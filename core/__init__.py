"""What every floor stands on: errors, settings, models, the way to run, pictures."""

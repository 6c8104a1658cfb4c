"""What every command stands on: device, processes, signals, files, locks, the terminal."""

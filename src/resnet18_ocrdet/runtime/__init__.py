"""What every command uses: device, processes, signals, files, locks, the terminal."""

"""What the program does, without a screen: broker, fetching, backtests, settings, simulator."""

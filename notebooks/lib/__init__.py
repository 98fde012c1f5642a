"""What chapters share: figures, exercises, probes. A notebook runs in its own folder, where `from lib import …` finds it."""

"""What chapters share: figures, exercises, probes, and widgets to label and count with.

A notebook runs in its own folder, where `from lib import …` finds it; papermill from elsewhere needs `--cwd notebooks`.
"""

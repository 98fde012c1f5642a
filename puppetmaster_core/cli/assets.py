"""Animated 3D assets: make procedural ones, or say what is in a file.

example:
  puppetmaster assets make --category storage --count 100 --output assets/storage
  puppetmaster assets inspect assets/storage/storage-000000.glb
"""

from __future__ import annotations

import argparse

from puppetmaster_core.cli import assets_inspect, assets_make
from puppetmaster_core.cli.arguments import add_command

HELP = "make procedural animated objects, or inspect .glb and .gltf files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_command(actions, "make", assets_make)
    add_command(actions, "inspect", assets_inspect)

"""Animated 3D assets: make procedural ones, or say what is in a file.

example:
  puppetmaster assets make --category storage --count 100 --output assets/storage
  puppetmaster assets inspect assets/storage/storage-000000.glb
"""

from __future__ import annotations

import argparse

from puppetmaster_core.cli import assets_inspect, assets_make

HELP = "make procedural animated objects, or inspect .glb and .gltf files"
ACTIONS = {"make": assets_make, "inspect": assets_inspect}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, module in ACTIONS.items():
        action = actions.add_parser(name, help=module.HELP, description=module.__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(action)
        action.set_defaults(act=module.run)


def run(arguments: argparse.Namespace) -> None:
    arguments.act(arguments)

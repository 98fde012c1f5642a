"""Settings of the network that cannot be: each error says what it got, what it expected and what to do."""

from .attention import ATTENTION_ARMS
from .tokens import POSITIONS

CHOICES = {
    "drag_encoding": ("paper", "released"),
    "modulation": ("scale_shift", "shift", "none"),
    "token_embedding": ("points", "cells"),
    "attention": tuple(ATTENTION_ARMS),
    "prediction": ("v", "clean"),
}


def check_config(config: dict) -> None:
    """Settings that do not exist or contradict each other, before anything is built."""
    for name, wanted in CHOICES.items():
        if config[name] not in wanted:
            raise ValueError(f"got {name}={config[name]!r}, expected one of {', '.join(wanted)}")
    if config["max_drags"] < 1:
        raise ValueError(f"got max_drags={config['max_drags']}, expected 1 or more: without drags it is SVD's network")
    if config["modulation"] != "none" and not config["modulation_channels"]:
        raise ValueError('got no modulation_channels, expected one width or more: name them, or set modulation="none"')
    unknown = set(config["token_positions"]) - set(POSITIONS)
    if unknown or (config["drag_tokens"] and not config["token_positions"]):
        raise ValueError(f"got token_positions={config['token_positions']}, expected some of {', '.join(POSITIONS)}")
    if "vN" in config["token_positions"] and config["drag_tokens"] and not config["end_location"]:
        raise ValueError(
            f"got end_location=False and token_positions={config['token_positions']}: without end locations, "
            "tokens read u and vn only"
        )
    if config["attention"] == "static_reference" and config["in_channels"] != 2 * config["out_channels"]:
        raise ValueError(
            f"got attention='static_reference' with {config['in_channels']} input channels, expected "
            f"{2 * config['out_channels']}: noisy and image latents of {config['out_channels']} channels each"
        )
    if config["token_position_channels"] % 4:
        raise ValueError(
            f"got token_position_channels={config['token_position_channels']}, expected a multiple of 4: "
            "sine and cosine of x and y take equal parts"
        )

"""What is diffused: picture latents (the paper's VAE), or motion latents with the painter that makes pictures of them (ours)."""

"""Training (App. C.1): one loop, two stages (the VAE, then the denoiser)."""

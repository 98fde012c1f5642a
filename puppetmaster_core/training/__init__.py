"""Training (App. C.1): one loop, stages for what makes latents and then for the denoiser."""

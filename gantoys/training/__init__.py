"""Training of small GANs. The only package that imports torch; the web process never enters it."""

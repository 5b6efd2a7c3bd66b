"""gantoys: understand generative adversarial networks on distributions small enough to see."""

__version__ = "0.1.0"

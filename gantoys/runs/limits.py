"""The limits of a run, in one place, named. A value beyond one is refused with a sentence before any work starts."""

# what a config may ask for (the fields of TrainConfig use these as their ranges)
STEPS = 50_000
BATCH = 1_024
WIDTH = 256
LAYERS = 6
NOISE_DIM = 64
FRAMES = 400
GRID = 96
SHOWN = 2_000
SEED = 2**31 - 1
TOY_TEXT = 2_000  # characters of the toy's notation
CONFIG_TEXT = 8_192  # characters of a config written as JSON, checked before it is read
TOY_REACH = 1_000.0  # positions are stored as 16-bit floats, which end at 65504

# what a run may cost: each value of a config may be fine and their product still be too much
RUN_FLOPS = 1e13  # about four minutes of one core
VISITOR_FLOPS = 1e12  # what one visitor of the dashboard may ask for: about half a minute of one core

# what a film may be
FILM_BYTES = 64 * 2**20
FILM_HEADER = 32_768
FILM_RECORD = 2**20
FILM_CLOSING = 32_768

# the run service of the dashboard
WORKERS = 2
QUEUE = 64
WATCH_SECONDS = 20.0  # a run that nobody has looked at for so long is stopped
RUN_SECONDS = 900.0  # a worker that takes longer hangs, and is killed

"""The limits of a run, in one place, named. A value beyond one is refused with a sentence before any work starts."""

# what a config may ask for (the fields of TrainConfig use these as their ranges)
STEPS = 500_000  # the longest published protocol takes 400,000
BATCH = 1_024
WIDTH = 512
LAYERS = 6
PIECES = 8  # of a maxout unit
SEEDS = 64
MOVES = 20  # of one player in one step
CHANGES = 32
DATASET = 1_000_000
POINTS = 5_000  # of a target that somebody drew or uploaded
PENALTY = 1e4
KERNELS = 128
PAC = 8
UNROLLED = 10
NOISE_DIM = 64
FRAMES = 400
GRID = 96
EIGENVALUES = 16  # of the game's Jacobian
SHOWN = 2_500  # as many as the published protocols judge
SEED = 2**31 - 1
TOY_TEXT = 2_000  # characters of the toy's notation
POINTS_TEXT = 40_000  # characters of a notation that lists points
CONFIG_TEXT = 65_536  # characters of a config written as JSON, checked before it is read
TOY_REACH = 1_000.0  # positions are stored as 16-bit floats, which end at 65504

# what a run may cost: each value of a config may be fine and their product still be too much
RUN_FLOPS = 1e16  # a day of one core: the full budget of the published protocols, ten seeds each
VISITOR_FLOPS = 6e12  # what one visitor of the dashboard may ask for: the default run with 16 seeds

# what a film may be
FILM_BYTES = 64 * 2**20
FILM_HEADER = 98_304
FILM_RECORD = 2**20
FILM_CLOSING = 32_768

# the run service of the dashboard
WORKERS = 2
QUEUE = 64
WATCH_SECONDS = 20.0  # a run that nobody has looked at for so long is paused
LOOKS_PER_SECOND = 10  # of all pages together at their runs
RUN_SECONDS = 900.0  # a run that takes longer is ended
STALL_SECONDS = 120.0  # a worker that shows nothing new for so long, and ten times as long as it should, hangs
TURN_SECONDS = 1.0  # so long a run trains while others wait, then it is their turn
VISITOR_RUNS = 8  # that one visitor may have at once: four to compare, and what judges them
WORKER_BYTES = 512 * 2**20  # of memory that it shares with nobody; less on a small machine
SMALL_BYTES = 1_536 * 2**20  # a machine with less memory trains one run at a time

# the store of films and states
STORE_BYTES = 2 * 2**30  # `GANTOYS_STORE_MB` sets another size
STATE_BYTES = 256 * 2**20
MEMORY_BYTES = 128 * 2**20  # where no disk can be written, so that it lies in memory

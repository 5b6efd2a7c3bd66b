"""The best single normal under each divergence: where it lies, what else is a minimum, and where descent would go."""

from dataclasses import dataclass

import numpy as np

from gantoys.maths import DIVERGENCES, Mixture1D, divergences, normal, parse, w1
from gantoys.maths.fit import Fit, fit_normal
from gantoys.maths.minima import Minimum
from gantoys.pictures.divergences_state import SHORT, UNITS, DivergenceState, named_data
from gantoys.pictures.sweeps import slider, swept
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Handle, Heatmap, Points, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene

Array = np.ndarray
MU, SIGMA = (-6.0, 6.0), (0.2, 5.0)
LOW, HIGH, POINTS = -8.0, 8.0, 201
COLUMNS, ROWS = 61, 41
CELL = (MU[1] - MU[0]) / (COLUMNS - 1), float(np.log(SIGMA[1] / SIGMA[0])) / (ROWS - 1)  # of the map: mu, log sigma
POSITIONS = 73
STEPS, STRIDE = 240, 0.4  # of a path, the stride in cells of the map
DRAWN = 60  # points of a path that are sent
ARRIVED = 1.5  # cells from a minimum within which a path has found it
_BESIDE = np.array([[[0], [1], [-1], [0], [0]], [[0], [0], [0], [1], [-1]]])  # a start, and a cell beside it
LEVELS = 12
NAME_STEPS = 0.1, 0.215  # how far from a minimum its two lines of words stand, in decades of sigma
NAMED_BELOW = (0.4, 1.2), (2.9, 5.1)  # the sigmas of minima that have more room below them
THIN = (
    "kl",
    "reverse_kl",
    "js",
    "jeffreys",
    "chi2",
    "w2_squared",
)  # drawn beside the chosen one: the others are slower
NEAR = 0.03  # how close to a minimum a click counts as one on it, in sides of the map
PUBLISHED = {
    "kl": (0.2831, 1.0100, 1.8308),
    "reverse_kl": (0.2480, 1.5782, 1.6319),
    "js": (0.1280, 1.3070, 1.7542),
    "jeffreys": (0.5705, 1.3218, 1.7034),
    "chi2": (0.6457, 0.5737, 1.9274),
}
"""Nowozin, Cseke & Tomioka 2016, table 2, the exact fits: divergence, mu, sigma."""
PAPER_MIXTURE = "0.33003*N(-0.99945,0.25493)+0.66997*N(2.00009,1.41504)"
"""A mixture whose 15 numbers are the table's to 1.6e-4; the paper does not print its own."""


@shared
def fit(data: str, key: str) -> Fit:
    """Every local minimum under one divergence: 10 to 150 ms for two components."""
    law = parse(data)
    assert isinstance(law, Mixture1D)
    return fit_normal(law, (key,))[key]


@dataclass(frozen=True, eq=False)
class Land:
    """A divergence over all normals: values (ROWS, COLUMNS), rows at log-spaced sigmas; inf where it is infinite."""

    mu: Array
    sigma: Array
    values: Array


@shared
def land(data: str, key: str) -> Land:
    """The divergence `key` of p_data from N(mu, sigma) over the map."""
    mu, sigma = np.linspace(*MU, COLUMNS), np.geomspace(*SIGMA, ROWS)
    all_mu, all_sigma = np.meshgrid(mu, sigma)
    values = value_of(data, key, all_mu.ravel(), all_sigma.ravel(), 1e-6).reshape(ROWS, COLUMNS)
    return Land(mu, sigma, values)


def value_of(data: str, key: str, mu: Array, sigma: Array, tolerance: float = 1e-11) -> Array:
    """The divergence of p_data from N(mu, sigma): (S,)."""
    p, q = parse(data), normal(mu, sigma)
    assert isinstance(p, Mixture1D)
    if key in DIVERGENCES:
        return divergences(p, q, (key,), tolerance=tolerance)[key].value
    if key == "w1":
        found = w1(p, q)
        assert found is not None
        return found.value
    best = fit(data, key)
    # a quadratic in (mu, sigma): see gantoys.maths.fit
    return best.value + (mu - best.mu) ** 2 + (sigma - best.sigma) ** 2


def descend(field: Land, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """Paths of steepest descent over the map from (S,) starts: mu and sigma, (S, DRAWN + 1).

    Downhill in mu and log sigma along the slopes of the map, interpolated: a drawing, good to about a cell.
    """
    log = np.log(field.sigma)
    cell = np.array([field.mu[1] - field.mu[0], log[1] - log[0]])
    # the logarithm has the same valleys, and slopes that do not explode
    height = np.log(np.where(np.isfinite(field.values), field.values, np.nan) + 1e-3)
    rise = np.stack(list(np.gradient(height, cell[1], cell[0]))[::-1])
    at = np.stack([(mu - MU[0]) / cell[0], (np.log(sigma) - log[0]) / cell[1]])
    path = [at]
    stride = np.full(len(mu), STRIDE)
    before = np.zeros_like(at)
    for _ in range(STEPS):
        slope = np.stack([_between(part, at) for part in rise]) / cell[:, None]
        size = np.hypot(*slope)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.where(np.isfinite(size) & (size > 0), -slope / size, 0.0)
        # it turns back: the valley lies between, and smaller steps find it
        stride = np.where(np.sum(step * before, axis=0) < 0, 0.5 * stride, stride)
        before = step
        at = np.clip(at + stride * step, 0, np.array([[COLUMNS - 1], [ROWS - 1]]))
        path.append(at)
    kept = np.stack(path)[np.round(np.linspace(0, STEPS, DRAWN + 1)).astype(int)]
    return MU[0] + cell[0] * kept[:, 0].T, np.exp(log[0] + cell[1] * kept[:, 1].T)


def _between(table: Array, at: Array) -> Array:
    """A table (ROWS, COLUMNS) at places (2, S) between its cells, by straight lines."""
    i, j = np.minimum(at[1].astype(int), ROWS - 2), np.minimum(at[0].astype(int), COLUMNS - 2)
    u, v = at[1] - i, at[0] - j
    low, high = ((1 - v) * table[k, j] + v * table[k, j + 1] for k in (i, i + 1))
    return (1 - u) * low + u * high


def minima_of(state: DivergenceState) -> tuple[Minimum, ...]:
    """All local minima of the chosen divergence, the lowest first."""
    return fit(state.data, state.divergence).minima


def is_global(minima: tuple[Minimum, ...], index: int) -> bool:
    """Whether a minimum is the lowest, or level with it."""
    return minima[index].value - minima[0].value < 1e-6


def places(state: DivergenceState) -> dict[str, dict[str, float]]:
    """The minima of the chosen divergence by name, as states to go to; those beyond the sliders are left out."""
    found = minima_of(state)
    return {
        f"{'global' if is_global(found, i) else 'local'}: N({_minus(m.mu, 2)}, {m.sigma:.2f})": {
            "mu": round(m.mu, 6) + 0.0,
            "sigma": round(m.sigma, 6),
        }
        for i, m in enumerate(found)
        if MU[0] <= m.mu <= MU[1] and SIGMA[0] <= m.sigma <= SIGMA[1]
    }


def clicked(state: DivergenceState, x: float, y: float) -> dict[str, float]:
    """The fields to change when the map is clicked at mu = x, log10 sigma = y: a minimum close by draws the click."""
    for place in places(state).values():
        if abs(place["mu"] - x) < NEAR * (MU[1] - MU[0]) and abs(np.log10(place["sigma"]) - y) < NEAR * np.log10(25):
            return place
    return {"mu": round(float(np.clip(x, *MU)), 4), "sigma": round(float(np.clip(10**y, *SIGMA)), 4)}


def _controls(state: DivergenceState) -> tuple[Control, ...]:
    grid = np.geomspace(*SIGMA, POSITIONS)
    start = int(np.argmin(np.abs(grid - state.sigma)))
    grid[start] = state.sigma
    return (
        slider("mu", "mean µ of the fit", *MU, state.mu, count=POSITIONS, role="fake"),
        Control("sigma", "standard deviation σ of the fit", grid, start=start, role="fake"),
    )


def _arrived(found: tuple[Minimum, ...], mu: Array, sigma: Array) -> Array:
    """Which of the minima the end of a path has come to, -1 for none."""
    goals = np.array([[m.mu, m.sigma] for m in found]).reshape(-1, 2, *[1] * mu.ndim)
    away = np.hypot((mu - goals[:, 0]) / CELL[0], np.log(sigma / goals[:, 1]) / CELL[1])
    if not found:
        return np.full(mu.shape, -1)
    return np.where(away.min(0) < ARRIVED, np.argmin(away, axis=0), -1)


def _rows(state: DivergenceState, control: Control) -> dict[str, Array]:
    at = np.asarray(control.values)
    mu, sigma = (at if control.key == name else np.full(len(at), getattr(state, name)) for name in ("mu", "sigma"))
    key, found = state.divergence, minima_of(state)
    x = np.linspace(LOW, HIGH, POINTS)
    q = normal(mu, sigma)
    field = land(state.data, key)
    # a path is good to about a cell: so are its ends those of paths that begin a cell beside it
    beside = np.clip(mu + CELL[0] * _BESIDE[0], *MU), np.clip(sigma * np.exp(CELL[1] * _BESIDE[1]), *SIGMA)
    over, up = (x.reshape(*beside[0].shape, -1) for x in descend(field, beside[0].ravel(), beside[1].ravel()))
    nearest = _arrived(found, over[..., -1], up[..., -1])
    of_minima = np.array([*(m.value for m in found), np.nan])
    end = of_minima[nearest[0]]
    # a path that comes to none may have been on its way to any
    farthest = np.max(np.abs(of_minima[:-1, None] - end), axis=0, initial=0.0)
    error = np.max(np.where(nearest < 0, farthest, np.abs(of_minima[nearest] - end)), axis=0)
    over, up, there = over[0], up[0], nearest[0] >= 0
    if found:
        goals = np.array([[m.mu, m.sigma] for m in found])
        over[there, -1], up[there, -1] = goals[nearest[0][there]].T
    return {
        "density": q.density(x),
        "value": value_of(state.data, key, mu, sigma),
        "end": end,
        "end_error": error,
        "path_mu": over,
        "path_height": np.log10(up),
        "mu": mu,
        "height": np.log10(sigma),
        "peak": q.density(mu[:, None])[:, 0],
        "side": mu + sigma,
        "shoulder": q.density((mu + sigma)[:, None])[:, 0],
    }


def fit_scene(state: DivergenceState) -> Scene:
    """p_data with best normals and the hand's own on the left; the map of the chosen divergence on the right."""
    controls = _controls(state)
    s = swept(controls, lambda control: _rows(state, control))
    key, found = state.divergence, minima_of(state)
    name = f"[{SHORT[key]}|accent]"
    best = found[0] if found else None
    readouts = (
        Readout("value", f"{name} at your N(µ, σ)", s["value"], unit=UNITS.get(key, ""), role="fake"),
        Readout("best", f"{name} at its best", best.value if best else np.inf, unit=UNITS.get(key, ""), role="accent"),
        Readout("end", "where descent ends", s["end"], unit=UNITS.get(key, ""), kind="estimated", band="end_error"),
        Readout("end_error", "where descent ends, its error", s["end_error"], visible=False),
    )
    return Scene(
        key="divergences-fit",
        alt=(
            f"The data, the best normal under each divergence, and a map of {key} over mean and standard deviation "
            f"with its {len(found)} local minima. At the hand's normal it is {{value}}, at its best {{best}}."
        ),
        panels=(_densities(state, s), _map(state, s)),
        controls=controls,
        readouts=readouts,
        formula=f"{_in_words(name, found)};  downhill from [N({{mu}}, {{sigma}})|fake] one comes to {{end}}",
    )


def _in_words(name: str, found: tuple[Minimum, ...]) -> str:
    """The best fit, and how many minima there are."""
    if not found:
        return f"{name} has no best normal"
    local = sum(not is_global(found, i) for i in range(len(found)))
    count = "no other minimum" if len(found) == 1 else f"{len(found)} minima, {local} only local"
    return f"best for {name}: N({_minus(found[0].mu, 3)}, {found[0].sigma:.3f}), {{best}};  {count}"


def _minus(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _densities(state: DivergenceState, s: dict) -> Panel:
    """The data, thin curves of all best normals, the chosen one's thick, and the hand's own with two places to grab."""
    x = np.linspace(LOW, HIGH, POINTS)
    p_x = state.p.density(x)
    layers: list[Layer] = [*named_data(x, p_x)]
    chosen = fit(state.data, state.divergence)
    for key in (key for key in THIN if key != state.divergence):
        best = fit(state.data, key)
        if best.minima:
            apart = abs(best.mu - chosen.mu) + abs(best.sigma - chosen.sigma) > 0.05 * best.sigma
            label = SHORT[key] if key in ("kl", "reverse_kl") and apart else ""
            y = normal(best.mu, best.sigma).density(x)
            layers.append(
                Curve(x=x, y=y, role="muted", width=0.5, dashed=False, label=label, label_at=best.mu + 1.4 * best.sigma)
            )
    if chosen.minima:
        y = normal(chosen.mu, chosen.sigma).density(x)
        layers.append(Curve(x=x, y=y, role="accent", width=1.4, label=f"best for {SHORT[state.divergence]}"))
    else:
        words = f"{SHORT[state.divergence]}: {chosen.method}"
        layers.append(Text(x=0.5, y=0.94, text=words, frame=True, role="warn"))
    layers += [
        Area(x=x, y=s["density"], role="fake", opacity=0.12),
        Curve(x=x, y=s["density"], role="fake", label="yours"),
        Handle(control="sigma", x=s["side"], y=s["shoulder"], role="fake"),
        Handle(control="mu", x=s["mu"], y=s["peak"], role="fake"),
    ]
    top = max(0.42, 1.12 * float(p_x.max()))
    return Panel(Axis(LOW, HIGH, "*x*"), Axis(0, top, "density", ticks=()), tuple(layers), width_ratio=1.05)


def _map(state: DivergenceState, s: dict) -> Panel:
    """Low ground pale, high ground dark; minima by name, the hand's normal and its way downhill."""
    field, found = land(state.data, state.divergence), minima_of(state)
    finite = np.isfinite(field.values)
    layers: list[Layer] = []
    if finite.any():
        floor = min(float(field.values[finite].min()), found[0].value if found else np.inf)
        height = np.log1p((field.values - floor) / max(floor, 0.05))
        top = float(np.quantile(height[finite], 0.97)) or 1.0
        shown = np.where(finite, np.minimum(height / top, 1.0), np.nan)
        half = 0.5 * (MU[1] - MU[0]) / (COLUMNS - 1), 0.5 * np.log(SIGMA[1] / SIGMA[0]) / (ROWS - 1)
        edges = np.log10(SIGMA) + np.array([-1, 1]) * half[1] / np.log(10)
        levels = tuple(float(v) for v in np.linspace(0, 1, LEVELS + 2)[1:-1])
        layers.append(
            Heatmap(
                values=shown, x=(MU[0] - half[0], MU[1] + half[0]), y=(float(edges[0]), float(edges[1])),
                role="accent", scale="sequential", contours=levels, opacity=0.55,
            )
        )  # fmt: skip
    layers += [
        Curve(x=s["path_mu"], y=s["path_height"], role="fake", width=0.9, dashed=False),
    ]
    for i, m in enumerate(found):
        if not (MU[0] <= m.mu <= MU[1] and SIGMA[0] <= m.sigma <= SIGMA[1]):
            continue
        level = is_global(found, i)
        at = float(np.log10(m.sigma))
        layers.append(Points(x=np.array([m.mu]), y=np.array([at]), role="text", size=5, opacity=1, hollow=not level))
        up = -1 if any(low < m.sigma < high for low, high in NAMED_BELOW) else 1
        lines = f"{'global' if level else 'local'} {m.value:.4f}", f"N({_minus(m.mu, 2)}, {m.sigma:.2f})"
        for step, line in zip(NAME_STEPS, lines[::-up], strict=True):
            layers.append(Text(x=m.mu, y=at + up * step, text=line))
    layers.append(Handle(control="mu", x=s["mu"], y=s["height"], role="fake"))
    ticks = (0.2, 0.5, 1.0, 2.0, 5.0)
    low, high = (float(v) for v in np.log10(SIGMA))
    sigma = Axis(
        low, high, f"σ; the paler, the less {SHORT[state.divergence]}",
        ticks=tuple(float(np.log10(t)) for t in ticks), tick_labels=tuple(f"{t:g}" for t in ticks),
    )  # fmt: skip
    return Panel(Axis(*MU, "µ"), sigma, tuple(layers), column=1, click="map")


def paper_table() -> str:
    """Markdown: the f-GAN paper's exact fits beside those computed here, in its conventions."""
    lines = ["| | divergence: paper | here | µ: paper | here | σ: paper | here |", "|---|---|---|---|---|---|---|"]
    names = {
        "kl": "KL(p‖q)", "reverse_kl": "KL(q‖p)", "js": "“JS” = 2 JS", "jeffreys": "Jeffreys",
        "chi2": "Pearson ∫(p−q)²/q",
    }  # fmt: skip
    for key, (value, mu, sigma) in PUBLISHED.items():
        best, twice = fit(PAPER_MIXTURE, key), 2 if key == "js" else 1
        lines.append(
            f"| {names[key]} | {value:.4f} | {twice * best.value:.4f} | {mu:.4f} | {best.mu:.4f} "
            f"| {sigma:.4f} | {best.sigma:.4f} |"
        )
    return "\n".join(lines)

"""The shock heat map: what is lost as two prices move, and where liquidations begin."""

from pathlib import Path

from underkeel.plots.style import INK, PAPER, QUIET, figure, heading, percent, save, short
from underkeel.stress.grid import Grid


def draw_grid(grid: Grid, target: Path) -> None:
    """Write the heat map; falls of the second price run down, of the first to the left."""
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    first, second = grid.names
    across, down = grid.moves
    most = max(1.0, *(abs(x) for row in grid.loss_usd for x in row))
    # losses toward orange, gains toward blue, darkness grows with size
    colours = LinearSegmentedColormap.from_list(
        "loss", ["#0b4f7d", "#6aaed6", "#f4f2ec", "#f2a65a", "#9c3f00"]
    )
    norm = TwoSlopeNorm(0.0, -most, most)
    width, height = 2.2 + 0.92 * len(across), 2.05 + 0.52 * len(down)
    i, j = grid.worst
    below = (
        f"Worst: {short(grid.loss_usd[i][j])} USD of {short(grid.before_usd)} at {first} "
        f"{percent(across[i])}, {second} {percent(down[j])}."
    )
    with figure(width, height) as drawn:
        axes = drawn.add_axes(
            (1.25 / width, 1.0 / height, 0.92 * len(across) / width, 0.52 * len(down) / height)
        )
        values = [[grid.loss_usd[a][d] for a in range(len(across))] for d in range(len(down))]
        axes.pcolormesh(values, cmap=colours, norm=norm, edgecolors=PAPER, linewidth=1.5)
        for d, row in enumerate(values):
            for a, loss in enumerate(row):
                fill = colours(norm(loss))
                light = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2] > 0.55
                colour = INK if light else "#ffffff"
                hit = grid.liquidated[a][d]
                told = short(loss) + (f"\n◆ {hit} liq." if hit else "")
                axes.text(
                    a + 0.5, d + 0.5, told, ha="center", va="center", color=colour, size=9,
                    weight="bold" if hit else "normal", linespacing=1.25,
                )  # fmt: skip
        axes.set_xticks([a + 0.5 for a in range(len(across))], [percent(m) for m in across])
        axes.set_yticks([d + 0.5 for d in range(len(down))], [percent(m) for m in down])
        axes.set_xlabel(f"{first} moves", labelpad=8)
        axes.set_ylabel(f"{second} moves", labelpad=8)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        heading(drawn, f"Loss in USD if {first} and {second} move", below)
        note = "◆ positions that are liquidated on the way; their penalties are in the loss. "
        note += "Negative: a gain."
        if grid.unknown:
            note += f" {len(grid.unknown)} unknown, in no number."
        drawn.text(0.035, 0.2 / height, note, size=8.5, color=QUIET, va="center")
        save(drawn, target)

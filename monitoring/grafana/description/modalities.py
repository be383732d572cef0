"""Missing modalities: how well a run segments with each subset."""

from description.board import GOOD_HIGH, RUN, SAVED, SWEEP, Board, steps


def make():
    board = Board(
        "lacuna-modalities",
        "Lacuna: missing modalities",
        "How well a run segments with each subset of the modalities.",
        [SWEEP, RUN],
        [SAVED],
    )
    here = '{run="$run"}'
    count = ["[^+]+", "[^+]+[+][^+]+", "[^+]+[+][^+]+[+][^+]+", "[^+]+[+][^+]+[+][^+]+[+].+"]
    board.stat(
        "Mean Dice",
        "Over all subsets and regions, newest validation.",
        f"avg(lacuna_eval_dice{here})",
        "percentunit",
        6,
        GOOD_HIGH,
    )
    board.stat(
        "Worst subset",
        "Lowest mean over regions of any subset.",
        f"min(avg by (subset) (lacuna_eval_dice{here}))",
        "percentunit",
        6,
        GOOD_HIGH,
    )
    board.stat(
        "Worst subset and region",
        "Lowest Dice of any subset in any region.",
        f"min(lacuna_eval_dice{here})",
        "percentunit",
        6,
        GOOD_HIGH,
    )
    board.stat(
        "Steps since the judged weights",
        "The table below is about weights that are this many steps old.",
        f"max(lacuna_weights_staleness_steps{here})",
        "none",
        6,
    )
    board.heat(
        "Dice",
        "Newest validation: subsets in rows, regions in columns.",
        f"max by (region, subset) (lacuna_eval_dice{here})",
        "percentunit",
        GOOD_HIGH,
    )
    board.heat(
        "HD95",
        "Newest validation, in mm, lower is better. Filled when validate.hd95 is set.",
        f"max by (region, subset) (lacuna_eval_hd95_millimeters{here})",
        "lengthmm",
        [("green", None), ("yellow", 10), ("orange", 30), ("red", 100)],
    )
    board.lines(
        "Dice by subset",
        "Mean over regions.",
        [(f"avg by (subset) (lacuna_eval_dice{here})", "{{subset}}")],
        "percentunit",
        12,
    )
    board.lines(
        "Worst and best subset",
        "Mean over regions of the worst and the best subset over time.",
        [
            (f"min(avg by (subset) (lacuna_eval_dice{here}))", "worst"),
            (f"max(avg by (subset) (lacuna_eval_dice{here}))", "best"),
        ],
        "percentunit",
        12,
    )
    board.lines(
        "Dice by number of modalities",
        "Mean over regions and over the subsets of that size.",
        [
            (f'avg(lacuna_eval_dice{{run="$run", subset=~"{pattern}"}})', f"{i + 1} of 4")
            for i, pattern in enumerate(count)
        ],
        "percentunit",
        8,
    )
    board.lines(
        "Dice by region",
        "Mean over subsets.",
        [(f"avg by (region) (lacuna_eval_dice{here})", "{{region}}")],
        "percentunit",
        8,
    )
    board.lines(
        "Importance weights",
        "What the method gives each modality; only methods that learn such weights report them.",
        [(f"max by (modality) (lacuna_importance_weight{here})", "{{modality}}")],
        "none",
        8,
    )
    board.bars(
        "Samples by subset",
        "How often each subset was drawn in training since this process started, all ranks.",
        [(f"sum by (subset) (lacuna_subset_draws_total{here})", "{{subset}}")],
        "none",
        12,
    )
    board.bars(
        "Lowest Dice",
        "The five worst pairs of subset and region.",
        [
            (
                f"bottomk(5, max by (subset, region) (lacuna_eval_dice{here}))",
                "{{subset}} {{region}}",
            )
        ],
        "percentunit",
        12,
        defaults={"thresholds": steps(GOOD_HIGH), "min": 0, "max": 1},
    )
    return board

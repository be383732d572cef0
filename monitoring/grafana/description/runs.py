"""Runs: a sweep at a glance."""

from description.board import GOOD_HIGH, SWEEP, Board


def make():
    board = Board(
        "lacuna-runs", "Lacuna: runs", "A sweep at a glance: which runs live, learn, save.", [SWEEP]
    )
    of = 'on (run, instance) group_left (sweep, method) lacuna_run_info{sweep=~"$sweep"}'
    only = 'and on (run, instance) lacuna_run_info{sweep=~"$sweep"}'
    board.stat(
        "Runs that answer",
        "Runs whose rank 0 answered the last scrape.",
        'count(up{job="lacuna"} == 1) or vector(0)',
        "none",
        thresholds=[("red", None), ("green", 1)],
    )
    board.stat(
        "Runs that do not answer",
        "Target files whose run answers no scrape: stopped, killed or cut off.",
        'count(up{job="lacuna"} == 0) or vector(0)',
        "none",
        thresholds=[("green", None), ("red", 1)],
    )
    board.stat(
        "Alerts",
        "Alerts of Lacuna that fire now, over all runs.",
        'count(ALERTS{alertname=~"Lacuna.*", alertstate="firing"}) or vector(0)',
        "none",
        thresholds=[("green", None), ("red", 1)],
    )
    board.stat(
        "Samples per second",
        "Over all ranks of all runs of the sweep.",
        f"sum(rate(lacuna_train_samples_total[$__rate_interval]) {only})",
        "none",
        defaults={"decimals": 2},
    )
    board.stat(
        "Best Dice",
        "Best validation score of any run: mean over subsets and regions.",
        f'max(lacuna_eval_score{{which="best"}} {only})',
        "percentunit",
        thresholds=GOOD_HIGH,
    )
    board.stat(
        "Restarts",
        "How often runs went on from a checkpoint, summed over the sweep.",
        f"sum(max by (run) (lacuna_restarts_total {only}))",
        "none",
        thresholds=[("green", None), ("orange", 1)],
    )
    named = [
        ("step", "none"),
        ("share done", "percentunit"),
        ("steps per second", "none"),
        ("best Dice", "percentunit"),
        ("since checkpoint", "s"),
        ("restarts", "none"),
        ("skipped steps", "none"),
    ]
    expressions = [
        "lacuna_run_step",
        "lacuna_run_step / lacuna_run_steps_planned",
        'rate(lacuna_train_steps_total{rank="0"}[$__rate_interval])',
        'lacuna_eval_score{which="best"}',
        "time() - lacuna_checkpoint_last_success_timestamp_seconds",
        "lacuna_restarts_total",
        "lacuna_nonfinite_steps_total",
    ]
    board.panel(
        "table",
        "Runs",
        "One line per run. Where a run needs a look, the board Run says more.",
        [f"max by (run, sweep, method) (({each}) * {of})" for each in expressions],
        "none",
        24,
        10,
        {"decimals": 2},
        {"cellHeight": "sm", "showHeader": True},
        {"align": "left"},
        instant=True,
        table=True,
        transformations=[
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "renameByName": {
                        f"Value #{'ABCDEFG'[i]}": name for i, (name, _) in enumerate(named)
                    },
                },
            },
        ],
        overrides=[
            {
                "matcher": {"id": "byName", "options": name},
                "properties": [{"id": "unit", "value": unit}],
            }
            for name, unit in named
        ],
    )
    board.lines(
        "Progress",
        "Share of the planned steps that is done.",
        [(f"max by (run) (lacuna_run_step / lacuna_run_steps_planned {only})", "{{run}}")],
        "percentunit",
        8,
    )
    board.lines(
        "Validation score",
        "Mean Dice over subsets and regions of the newest validation.",
        [(f'max by (run) (lacuna_eval_score{{which="newest"}} {only})', "{{run}}")],
        "percentunit",
        8,
    )
    board.lines(
        "Loss",
        "Newest logged loss. Compare runs of one method only.",
        [(f'max by (run) (lacuna_loss{{part="total"}} {only})', "{{run}}")],
        "none",
        8,
        log=True,
    )
    board.lines(
        "Speed",
        "Samples per second of each run, over its ranks.",
        [(f"sum by (run) (rate(lacuna_train_samples_total[$__rate_interval]) {only})", "{{run}}")],
        "none",
        8,
    )
    board.lines(
        "Since the last checkpoint",
        "Work that a loss of the run would cost. It falls to 0 with each save.",
        [
            (
                f"max by (run) (time() - lacuna_checkpoint_last_success_timestamp_seconds {only})",
                "{{run}}",
            )
        ],
        "s",
        8,
    )
    board.lines(
        "Free space",
        "Of the file systems of the run directories.",
        [(f"min by (run) (lacuna_disk_free_bytes {only})", "{{run}}")],
        "bytes",
        8,
    )
    board.activity(
        "What rank 0 does",
        "Long stretches of one colour other than green want a look.",
        f'max by (run) (lacuna_rank_activity{{rank="0"}} {only})',
        "{{run}}",
    )
    return board

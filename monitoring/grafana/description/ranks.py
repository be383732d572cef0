"""Ranks: who slows the others, and why."""

from description.board import RESTARTED, RUN, SWEEP, Board, variable


def make():
    board = Board(
        "lacuna-ranks",
        "Lacuna: ranks",
        "Who slows the others, and why: phases, collectives, loading, GPUs by rank.",
        [
            SWEEP,
            RUN,
            variable(
                "rank", "Rank", 'label_values(lacuna_rank_info{run="$run"}, rank)', several=True
            ),
        ],
        [RESTARTED],
    )
    here = '{run="$run", rank=~"$rank"}'
    own = 'sum by (rank) (rate(lacuna_step_seconds_sum{run="$run", phase!="reduce"}[$__rate_interval]))'
    board.stat(
        "Slowest to median",
        "Own work of the slowest rank against the median; 1 is even. The alert fires above 1.3.",
        f"max({own}) / quantile(0.5, {own})",
        "none",
        6,
        [("green", None), ("orange", 1.15), ("red", 1.3)],
        defaults={"decimals": 2},
    )
    board.stat(
        "Slowest rank",
        "Its number: of the rank with the most own work.",
        f'label_replace(topk(1, {own}), "__name__", "own_work", "", "")',
        "s",
        6,
    )
    board.stat(
        "Waiting for others",
        "Share of the time of all ranks that is spent waiting for gradients of others.",
        'sum(rate(lacuna_step_seconds_sum{run="$run", phase="reduce"}[$__rate_interval])) / sum(rate(lacuna_train_step_seconds_sum{run="$run"}[$__rate_interval]))',
        "percentunit",
        6,
    )
    board.stat(
        "Oldest heartbeat",
        "Of any rank.",
        'time() - min(lacuna_heartbeat_timestamp_seconds{run="$run"})',
        "s",
        6,
        [("green", None), ("orange", 10), ("red", 30)],
    )
    board.activity(
        "What the ranks do",
        "waiting for rank is waiting for another rank: the one that does something else holds them up.",
        f"max by (rank) (lacuna_rank_activity{here})",
        "rank {{rank}}",
    )
    board.lines(
        "Own work",
        "Seconds per second that a rank computes, loads and updates; the slowest one sets the pace.",
        [
            (
                'sum by (rank) (rate(lacuna_step_seconds_sum{run="$run", rank=~"$rank", phase!="reduce"}[$__rate_interval]))',
                "rank {{rank}}",
            )
        ],
        "percentunit",
    )
    board.lines(
        "Step time",
        "Mean of each rank. Synchronous training makes them equal: look at own work for the culprit.",
        [
            (
                f"sum by (rank) (rate(lacuna_train_step_seconds_sum{here}[$__rate_interval])) / sum by (rank) (rate(lacuna_train_step_seconds_count{here}[$__rate_interval]))",
                "rank {{rank}}",
            )
        ],
        "s",
    )
    board.lines(
        "Waiting for gradients",
        "Seconds per second. A fast rank waits, the slow one does not.",
        [
            (
                'sum by (rank) (rate(lacuna_step_seconds_sum{run="$run", rank=~"$rank", phase="reduce"}[$__rate_interval]))',
                "rank {{rank}}",
            )
        ],
        "percentunit",
    )
    for phase, words in [
        ("forward_backward", "Forward and backward"),
        ("data_wait", "Waiting for data"),
        ("optimizer", "Optimiser"),
    ]:
        board.lines(
            words,
            f"Seconds per second that each rank spends in {phase}.",
            [
                (
                    f'sum by (rank) (rate(lacuna_step_seconds_sum{{run="$run", rank=~"$rank", phase="{phase}"}}[$__rate_interval]))',
                    "rank {{rank}}",
                )
            ],
            "percentunit",
        )
    board.lines(
        "Collectives",
        "Seconds per second that all ranks wait in each kind of communication.",
        [(f"sum by (op) (rate(lacuna_collective_seconds_sum{here}[$__rate_interval]))", "{{op}}")],
        "percentunit",
        12,
        stack=True,
    )
    board.lines(
        "Longest collectives",
        "99th percentile over the ranks, by kind, since the start.",
        [
            (
                f"histogram_quantile(0.99, sum by (op, le) (lacuna_collective_seconds_bucket{here}))",
                "{{op}}",
            )
        ],
        "s",
        12,
        log=True,
    )
    board.lines(
        "Batches ready",
        "0 most of the time means that this rank waits for its loader.",
        [(f"lacuna_loader_queue_depth{here}", "rank {{rank}}")],
        "none",
    )
    board.lines(
        "Processor",
        "Cores that a rank's process keeps busy.",
        [(f"rate(lacuna_process_cpu_seconds_total{here}[$__rate_interval])", "rank {{rank}}")],
        "none",
    )
    board.lines(
        "Memory",
        "Of each rank's process.",
        [(f"lacuna_process_resident_bytes{here}", "rank {{rank}}")],
        "bytes",
    )
    board.lines(
        "Threads",
        "Of each rank's process.",
        [(f"lacuna_process_threads{here}", "rank {{rank}}")],
        "none",
        12,
    )
    board.panel(
        "table",
        "Where they run",
        "Host and role of each rank, and when it started.",
        [
            f"max by (rank, node, role) (lacuna_rank_info{here})",
            f"max by (rank) (lacuna_process_start_timestamp_seconds{here} * 1000)",
        ],
        "none",
        12,
        7,
        {},
        {"cellHeight": "sm", "showHeader": True},
        {"align": "left"},
        instant=True,
        table=True,
        transformations=[
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True, "Value #A": True},
                    "renameByName": {"Value #B": "started"},
                },
            },
        ],
        overrides=[
            {
                "matcher": {"id": "byName", "options": "started"},
                "properties": [{"id": "unit", "value": "dateTimeAsIso"}],
            }
        ],
    )
    board.row("GPUs (empty without NVIDIA GPUs)")
    gpu = "Empty without an NVIDIA GPU. "
    board.lines(
        "GPU memory",
        gpu + "Used on each rank's device, by all processes.",
        [(f'lacuna_gpu_memory_bytes{{run="$run", rank=~"$rank", kind="used"}}', "rank {{rank}}")],
        "bytes",
        6,
    )
    board.lines(
        "GPU load",
        gpu + "Share of time with any kernel running; high is not yet efficient.",
        [(f"lacuna_gpu_utilization_ratio{here}", "rank {{rank}}")],
        "percentunit",
        6,
    )
    board.lines(
        "GPU power",
        gpu + "A device that draws far less than its peers is throttled or waits.",
        [(f"lacuna_gpu_power_watts{here}", "rank {{rank}}")],
        "watt",
        6,
    )
    board.lines(
        "GPU temperature",
        gpu + "Of the core.",
        [(f"lacuna_gpu_temperature_celsius{here}", "rank {{rank}}")],
        "celsius",
        6,
    )
    return board

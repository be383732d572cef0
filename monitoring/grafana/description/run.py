"""Run: is it alive, does it learn, when is it done?"""

from description.board import GOOD_HIGH, RESTARTED, RUN, SAVED, SWEEP, Board

MEDIAN_STEP = 'histogram_quantile(0.5, sum by (le) (lacuna_train_step_seconds_bucket{run="$run"}))'


def make():
    board = Board(
        "lacuna-run",
        "Lacuna: run",
        "One run: is it alive, does it learn, when is it done?",
        [SWEEP, RUN],
        [RESTARTED, SAVED],
    )
    here = '{run="$run"}'
    board.row("Alive?")
    board.stat(
        "Sign of work",
        "Time since any trainer last changed its activity or finished a case of a validation.",
        f"time() - max(lacuna_progress_timestamp_seconds{here})",
        "s",
        thresholds=[("green", None), ("orange", 60), ("red", 300)],
    )
    board.stat(
        "Ranks heard",
        "Share of the ranks whose heartbeat is younger than 30 s.",
        f"count(time() - lacuna_heartbeat_timestamp_seconds{here} < 30) / max(lacuna_ranks_expected{here})",
        "percentunit",
        thresholds=[("red", None), ("green", 1)],
    )
    board.stat(
        "Restarts",
        "How often the run went on from a checkpoint.",
        f"max(lacuna_restarts_total{here})",
        "none",
        thresholds=[("green", None), ("orange", 1), ("red", 5)],
    )
    board.stat(
        "Since the last checkpoint",
        "What a loss of the run would cost now.",
        f"time() - max(lacuna_checkpoint_last_success_timestamp_seconds{here})",
        "s",
    )
    board.stat(
        "Failed checkpoints",
        "Saves that failed since this process started.",
        f"max(lacuna_checkpoint_failures_total{here})",
        "none",
        thresholds=[("green", None), ("red", 1)],
    )
    board.stat(
        "Skipped steps",
        "Steps since this process started whose loss or gradient was not finite.",
        f"max(lacuna_nonfinite_steps_total{here})",
        "none",
        thresholds=[("green", None), ("orange", 1)],
    )
    board.row("Done when?")
    board.stat(
        "Step", "Steps done, over all starts of the run.", f"max(lacuna_run_step{here})", "none"
    )
    board.stat(
        "Done",
        "Share of the planned steps.",
        f"max(lacuna_run_step{here} / lacuna_run_steps_planned{here})",
        "percentunit",
    )
    board.stat(
        "Time left",
        "At the speed of the last ten minutes, validations and saves included.",
        f'max((lacuna_run_steps_planned{here} - lacuna_run_step{here}) / on (run, instance) rate(lacuna_train_steps_total{{run="$run", rank="0"}}[10m]))',
        "s",
    )
    board.stat("Median step", "Over the life of this process.", MEDIAN_STEP, "s")
    board.stat(
        "Samples per second",
        "Over all ranks.",
        f"sum(rate(lacuna_train_samples_total{here}[$__rate_interval]))",
        "none",
        defaults={"decimals": 2},
    )
    board.stat(
        "Best Dice",
        "Best validation score so far.",
        f'max(lacuna_eval_score{{run="$run", which="best"}})',
        "percentunit",
        thresholds=GOOD_HIGH,
    )
    board.row("Learning?")
    board.lines(
        "Loss",
        "Total and parts of the newest logged line; parts of other phases are named phase:part.",
        [(f"max by (part) (lacuna_loss{here})", "{{part}}")],
        "none",
        log=True,
    )
    board.lines(
        "Validation score",
        "Mean Dice over subsets and regions.",
        [(f"max by (which) (lacuna_eval_score{here})", "{{which}}")],
        "percentunit",
    )
    board.lines(
        "Learning rate",
        "Per group of parameters.",
        [(f"max by (group) (lacuna_learning_rate{here})", "{{group}}")],
        "none",
        log=True,
    )
    board.lines(
        "Gradient norm",
        "Per group, before clipping.",
        [(f"max by (group) (lacuna_grad_norm{here})", "{{group}}")],
        "none",
        log=True,
    )
    board.lines(
        "Importance weights",
        "What the method gives each modality; only methods that learn such weights report them.",
        [(f"max by (modality) (lacuna_importance_weight{here})", "{{modality}}")],
        "none",
    )
    board.lines(
        "Subsets drawn",
        "Samples per second by the modalities that they were given.",
        [
            (
                f"sum by (subset) (rate(lacuna_subset_draws_total{here}[$__rate_interval]))",
                "{{subset}}",
            )
        ],
        "none",
        stack=True,
    )
    board.row("Where does the time go?")
    board.lines(
        "Parts of a step",
        "Seconds per step and rank, mean over the ranks. reduce is waiting for other ranks.",
        [
            (
                f"sum by (phase) (rate(lacuna_step_seconds_sum{here}[$__rate_interval])) / scalar(sum(rate(lacuna_train_step_seconds_count{here}[$__rate_interval])))",
                "{{phase}}",
            )
        ],
        "s",
        stack=True,
    )
    board.lines(
        "Waiting for data",
        "Share of the time of a step. The alert fires above 30 % for 15 minutes.",
        [
            (
                f'sum(rate(lacuna_step_seconds_sum{{run="$run", phase="data_wait"}}[$__rate_interval])) / sum(rate(lacuna_train_step_seconds_sum{here}[$__rate_interval]))',
                "share",
            )
        ],
        "percentunit",
    )
    board.lines(
        "Batches ready",
        "Whole batches that wait for each rank. 0 most of the time means that training waits.",
        [(f"lacuna_loader_queue_depth{here}", "rank {{rank}}")],
        "none",
    )
    board.lines(
        "Read from the cache",
        "Bytes of images and labels per second, before compression, all ranks.",
        [(f"sum(rate(lacuna_cache_read_bytes_total{here}[$__rate_interval]))", "bytes per second")],
        "Bps",
    )
    board.lines(
        "Writing a checkpoint",
        "Mean time of one, in the background of training.",
        [
            (
                f"sum(lacuna_checkpoint_write_seconds_sum{here}) / sum(lacuna_checkpoint_write_seconds_count{here})",
                "mean",
            )
        ],
        "s",
    )
    board.lines(
        "Validation",
        "How long the newest one took, and how long rank 0 waited for answers of a validation rank.",
        [
            (f"max(lacuna_eval_seconds{here})", "newest validation"),
            (
                f'sum(rate(lacuna_collective_seconds_sum{{run="$run", op="validation_rank", rank="0"}}[$__rate_interval]))',
                "waiting, per second",
            ),
        ],
        "s",
    )
    board.lines(
        "Cases left out",
        "Cases that could not be read; rank logs name them.",
        [(f"sum by (rank) (lacuna_loader_errors_total{here})", "rank {{rank}}")],
        "none",
    )
    board.lines(
        "Memory",
        "Of the processes of the ranks.",
        [(f"lacuna_process_resident_bytes{here}", "rank {{rank}}")],
        "bytes",
    )
    board.lines(
        "Free space",
        "Of the file system of the run directory.",
        [(f"min(lacuna_disk_free_bytes{here})", "free")],
        "bytes",
    )
    board.panel(
        "table",
        "What it is",
        "Method, configuration and program; one line per start of the run in the time range.",
        [f"max by (run, sweep, method, config_hash, git, slurm_job_id) (lacuna_run_info{here})"],
        "none",
        24,
        4,
        {},
        {"cellHeight": "sm", "showHeader": True},
        {"align": "left"},
        instant=True,
        table=True,
        transformations=[
            {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}
        ],
    )
    return board

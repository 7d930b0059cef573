"""Settings with which every method runs through all of its steps, and proves nothing."""

QUICK_METHODS = {
    "connectome": {"rank": 2, "n_restarts": 2, "n_surrogates": 1, "max_iterations": 20},
    "biclustering": {
        "n_tune": 5,
        "n_draws": 5,
        "n_chains": 1,
        "held_out": "none",
        "max_counts": 100_000,
    },
    "trsa": {
        "n_permutations": 39,
        "n_bootstraps": 20,
        "n_splits": 10,
        "level_step": 0.25,
        "n_comparisons": 19,
        "n_graphs": 9,
        "homology": {"n_shuffles": 9},
    },
    "celltypes": {
        "encoding": {"max_epochs": 4},
        "n_restarts": 1,
        "n_nulls": 1,
        "folds": {"number": 0},
        "loop": {"start_clusters": [5, 12]},
        "ascent": {"polish_steps": 80, "compare_steps": 40},
        "split": {"null_from": "never"},
        "discrete": {"n_restarts": 5, "max_types": 6},
    },
}

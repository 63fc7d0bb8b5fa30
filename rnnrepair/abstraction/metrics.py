"""What is logged of an abstraction."""

from rnnrepair.abstraction.fit import Abstraction


def abstraction_metrics(abstraction: Abstraction) -> dict[str, float]:
    """Return what is logged of an abstraction."""
    stability = abstraction.stability
    metrics = {
        "abstraction/n_components": float(abstraction.model.n_states),
        "abstraction/bic": abstraction.bic,
        "abstraction/n_empty": float(stability.n_empty),
        "abstraction/explained_variance": abstraction.model.reduction.explained,
        "abstraction/converged": float(abstraction.model.mixture.converged),
        "abstraction/stability": stability.mean,
        "abstraction/stability_weighted": stability.weighted_mean,
        "abstraction/stability_min": stability.min,
    }
    if abstraction.drift is not None:
        metrics["abstraction/drift"] = abstraction.drift
    for candidate in abstraction.candidates:
        metrics[f"abstraction/bic_val_k{candidate.n_components}"] = candidate.bic
        metrics[f"abstraction/stability_val_k{candidate.n_components}"] = candidate.stability
    return metrics

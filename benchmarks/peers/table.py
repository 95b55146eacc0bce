"""What `benchmarks.peers` prints."""

import numpy as np

OURS = "keras_sam"  # Its plain steps are those of Keras.
OURS_ON_JAX = "keras_sam, on JAX"
OPTAX = "JAX"
OTHERS = ("tf_keras", "PyTorch", OPTAX)
# Where the issue of performance asks for the fastest step.
FASTEST = ("cnn", "resnet-18", "transformer")


def table(peers):
    """Returns the table of a network, in Markdown.

    Args:
        peers: List of `process.Peer`, ours first.
    """
    lines = [
        "| library | parameters | plain, ms | SAM, ms | SAM to plain "
        "| SAM to ours |",
        "|---|---|---|---|---|---|",
    ]
    for peer in peers:
        cells = [
            peer.name,
            ", ".join(f"{number:,}" for number in peer.parameters),
            _cell(_milliseconds(peer, "plain"), 1),
            _cell(_milliseconds(peer, "SAM"), 1),
            _cell(_ratio(peer)),
            _cell(_relative(peer, peers[0])),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"\n{p.name}: {f}" for p in peers for f in p.failures]
    return "\n".join(lines)


def versions(measured):
    """Returns what was measured, a string; takes what `targets` takes."""
    found = {p.versions: None for peers in measured.values() for p in peers}
    return "; ".join(v for v in found if v)


def targets(measured):
    """Returns a line for each target: whether it is met, and where not.

    Args:
        measured: Dict from networks to lists of `process.Peer`, ours
            first.
    """
    ratios, times, on_jax = [], [], []
    for network, (ours, *others) in measured.items():
        named = {peer.name: peer for peer in others}
        if {OURS_ON_JAX, OPTAX} <= set(named):
            optax = named[OPTAX]
            here = _ratio(named[OURS_ON_JAX])
            on_jax.append((network, optax, here, _ratio(optax)))
        for peer in others:
            if peer.name not in OTHERS:
                continue
            ratios.append((network, peer, _ratio(ours), _ratio(peer)))
            if network in FASTEST:
                to_ours = _relative(ours, ours), _relative(peer, ours)
                times.append((network, peer, *to_ours))
    return "\n".join(
        (
            _verdict("our SAM to plain no higher than a peer's", ratios),
            _verdict("our SAM step no slower than a peer's", times),
            _verdict("on JAX our SAM to plain no higher than optax's", on_jax),
        )
    )


def _verdict(target, compared):
    """Returns one line.

    Args:
        target: String.
        compared: List of (network, peer, our numbers, theirs).
    """
    compared = [
        (network, peer, np.median(ours), np.median(theirs))
        for network, peer, ours, theirs in compared
        if len(ours) and len(theirs)
    ]
    if not compared:
        return f"(d) {target}: not measured"
    worse = [
        f"{network}: {peer.name} {theirs:.2f}, ours {ours:.2f}"
        for network, peer, ours, theirs in compared
        if not ours <= theirs
    ]
    return f"(d) {target}: " + (
        f"missed ({'; '.join(worse)})" if worse else "met"
    )


def _milliseconds(peer, method):
    return 1000 * np.array(peer.times.get(method, []))


def _ratio(peer):
    """Returns SAM to plain, of each round; empty if one of them failed."""
    if not {"plain", "SAM"} <= peer.times.keys():
        return []
    return np.divide(peer.times["SAM"], peer.times["plain"])


def _relative(peer, ours):
    """Returns SAM to our SAM, likewise."""
    if not all("SAM" in p.times for p in (peer, ours)):
        return []
    return np.divide(peer.times["SAM"], ours.times["SAM"])


def _cell(values, digits=2):
    """Returns the median and the quartiles, as a string."""
    if not len(values):
        return "-"
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

"""The command line of the examples: every flag, its check, what names mean.

methods.py says what the flags of SAM (sharpness-aware minimization) mean.
"""

import types

import keras
from absl import flags

import keras_sam
from examples import engine
from examples import methods
from examples import models

_FLAGS = flags.FLAGS
XLA = {"auto": "auto", "true": True, "false": False}
STRATEGIES = engine.strategies.STRATEGIES
# On either backend.
_STRATEGIES = ("none", "mirrored", "multi_worker", "tpu", "data_parallel")
SCHEDULES = {
    "cosine": lambda s, steps: keras.optimizers.schedules.CosineDecay(
        0.0 if s.warmup_epochs else s.learning_rate,
        decay_steps=(s.epochs - s.warmup_epochs) * steps,
        warmup_target=s.learning_rate if s.warmup_epochs else None,
        warmup_steps=s.warmup_epochs * steps,
    ),
    "step": lambda s, steps: keras.optimizers.schedules.PiecewiseConstantDecay(
        [int(part * s.epochs * steps) for part in (0.3, 0.6, 0.8)],
        [s.learning_rate * 0.2**power for power in range(4)],
    ),
    "constant": lambda s, steps: s.learning_rate,
}

# Where and when a run reads and writes: not part of what it computes.
PLACES = (
    "output_dir",
    "data_dir",
    "tensorboard",
    "checkpoint_steps",
    "cluster",
    "cluster_timeout",
    "cluster_port",
    "tpu",
)

# The flags as `--help` shows them.
GROUPS = {
    "Method": (
        *("method", "list_methods", "rho", "rho_min", "ascent_steps"),
        *("radius", "direction", "descent", "cadence", "start"),
        *("ascent_samples", "descent_samples", "num_batch_splits"),
        *("perturb", "sync_perturbations"),
    ),
    "Training": (
        *("model", "dropout", "epochs", "batch_size", "seed"),
        *("learning_rate", "lr_schedule", "warmup_epochs", "momentum"),
        *("nesterov", "weight_decay", "no_weight_decay_on_bn"),
        *("gradient_clipping", "ema_decay", "label_smoothing"),
    ),
    "Data": ("dataset", "data_dir", "augment", "label_noise", "noise_seed"),
    "Output": ("output_dir", "tensorboard", "checkpoint_steps"),
    "Devices": (
        *("strategy", "cluster", "cluster_timeout", "cluster_port", "tpu"),
        *("mixed_precision", "xla", "steps_per_execution", "deterministic"),
    ),
}

flags.DEFINE_string("output_dir", None, "Folder of the results. Required.")
flags.DEFINE_string(
    "data_dir", None, "Folder of TFDS. If not given, TFDS chooses."
)
flags.DEFINE_bool(
    "tensorboard",
    engine.machine.WRITES_TENSORBOARD,
    "Write TensorBoard logs, which Keras does with TensorFlow.",
)
flags.DEFINE_integer(
    "checkpoint_steps",
    None,
    "Train steps between backups. If not given, each epoch ends with one.",
    lower_bound=1,
)

flags.DEFINE_string("dataset", "digits", "A TFDS image classification set.")
flags.DEFINE_enum(
    "augment",
    "auto",
    ["auto", "true", "false"],
    "Random shifts and flips; auto augments CIFAR only.",
)
flags.DEFINE_float(
    "label_noise",
    0.0,
    "Fraction of training labels replaced by another class.",
    lower_bound=0.0,
    upper_bound=1.0,
)
flags.DEFINE_integer("noise_seed", 0, "Seed of the label noise.", lower_bound=0)

flags.DEFINE_string("model", "cnn", "mlp, cnn, cnn-1d, resnet-18 or wrn-D-K.")
flags.DEFINE_float(
    "dropout", 0.0, "Rate of dropout before the last layer.", lower_bound=0.0
)
flags.DEFINE_integer(
    "seed", 0, "Seed of weights, data order, dropout.", lower_bound=0
)
flags.DEFINE_enum(
    "mixed_precision",
    "float32",
    ["float32", "mixed_float16", "mixed_bfloat16"],
    "Keras dtype policy.",
)

flags.DEFINE_integer(
    "epochs", 30, "Passes over the training data.", lower_bound=1
)
flags.DEFINE_integer(
    "batch_size", 128, "Images a step, over all replicas.", lower_bound=1
)
flags.DEFINE_float("learning_rate", 0.1, "Peak learning rate.", lower_bound=0.0)
flags.DEFINE_enum("lr_schedule", "cosine", list(SCHEDULES), "Its schedule.")
flags.DEFINE_integer(
    "warmup_epochs",
    0,
    "Epochs of linear warm-up before the cosine.",
    lower_bound=0,
)
flags.DEFINE_float("momentum", 0.9, "Momentum of SGD.", lower_bound=0.0)
flags.DEFINE_bool("nesterov", False, "Nesterov's momentum.")
flags.DEFINE_float(
    "weight_decay",
    0.0005,
    "Decoupled, as in Keras: w -= learning_rate * weight_decay * w. An L2 "
    "term or PyTorch's weight_decay passes through the momentum and so acts "
    "1 / (1 - momentum) times as strongly.",
    lower_bound=0.0,
)
flags.DEFINE_bool(
    "no_weight_decay_on_bn", False, "Leave batch normalization undecayed."
)
flags.DEFINE_float(
    "gradient_clipping",
    None,
    "Largest global norm of a gradient.",
    lower_bound=0.0,
)
flags.DEFINE_float(
    "ema_decay", None, "Test an exponential moving average of the weights."
)
flags.DEFINE_float(
    "label_smoothing",
    0.0,
    "Label smoothing; the reported losses include it.",
    lower_bound=0.0,
)
flags.DEFINE_bool(
    "deterministic",
    False,
    "Deterministic kernels: slower, and only a GPU needs them for runs that "
    "repeat to the bit.",
)
flags.DEFINE_integer(
    "steps_per_execution",
    1,
    "Steps a call of what Keras compiles.",
    lower_bound=1,
)
flags.DEFINE_enum(
    "strategy",
    "none",
    _STRATEGIES,
    "How devices share the work. tf.distribute has mirrored, multi_worker and "
    "tpu; data_parallel is keras.distribution's, on JAX.",
)
flags.DEFINE_enum(
    "cluster",
    "environment",
    ["environment", "slurm"],
    "Who says which workers there are: the environment variable TF_CONFIG (on "
    "JAX: KERAS_DISTRIBUTION_JOB_ADDRESSES and so on), or Slurm.",
)
flags.DEFINE_float(
    "cluster_timeout",
    300.0,
    "Seconds to wait for other workers at the start.",
    lower_bound=1.0,
)
flags.DEFINE_integer(
    "cluster_port",
    8888,
    "Port of the first worker on a host, for --cluster=slurm on TensorFlow.",
    lower_bound=1,
    upper_bound=65535,
)
flags.DEFINE_string(
    "tpu",
    None,
    "TPU of --strategy=tpu: 'local' on a TPU VM, a name, zone/name or address.",
)

flags.DEFINE_enum(
    "method",
    "sam",
    list(keras_sam.recipes.RECIPES),
    "A published method. It sets flags of this group, which you may give, too: "
    "--list_methods says more.",
)
flags.DEFINE_float("rho", None, "Radius of the climb.", lower_bound=0.0)
flags.DEFINE_float(
    "rho_min",
    None,
    "Let the radius fall with the learning rate, from --rho to this.",
    lower_bound=0.0,
)
flags.DEFINE_integer(
    "ascent_steps",
    None,
    "Steps of the climb; 0 is SGD.",
    lower_bound=0,
)
flags.DEFINE_enum(
    "radius",
    None,
    ["split", "full", "projected", "matched"],
    "Length of a step: rho / n, rho, rho within the ball, 2 rho / (n + 1).",
)
flags.DEFINE_string(
    "direction",
    None,
    "Where a step of the climb points, for example 'Adaptive(eta=0.2)'. Parts: "
    + ", ".join(methods.names("direction")),
)
flags.DEFINE_string(
    "descent",
    None,
    "How the gradients met on the climb become one. Parts: "
    + ", ".join(methods.names("descent")),
)
flags.DEFINE_string(
    "cadence",
    None,
    "Which steps climb. Parts: " + ", ".join(methods.names("cadence")),
)
flags.DEFINE_string(
    "start",
    None,
    "Where the clean pass is, or none: at the weights. Parts: "
    + ", ".join(methods.names("start")),
)
flags.DEFINE_string(
    "ascent_samples",
    None,
    "Which examples of a batch climb, or none: all. Parts: "
    + ", ".join(methods.names("ascent_samples")),
)
flags.DEFINE_string(
    "descent_samples",
    None,
    "Which examples of a batch are descended with, likewise.",
)
flags.DEFINE_integer(
    "num_batch_splits",
    None,
    "Parts of a batch that climb on their own (m-sharpness).",
    lower_bound=1,
)
flags.DEFINE_string(
    "perturb", None, "Regular expression of the variable paths that move."
)
flags.DEFINE_bool(
    "sync_perturbations", None, "Average the climb over replicas."
)
flags.DEFINE_enum("xla", "auto", list(XLA), "Compile with XLA.")

flags.mark_flag_as_required("output_dir")
flags.register_validator(
    "model",
    models.is_known,
    "must be mlp, cnn, cnn-1d, resnet-18 or wrn-D-K, D = 6n + 4",
)
for _name in ("dropout", "momentum", "label_smoothing", "ema_decay"):
    flags.register_validator(
        _name,
        lambda value: value is None or 0 <= value < 1,
        "must be in [0, 1)",
    )
flags.register_validator(
    "gradient_clipping",
    lambda value: value is None or value > 0,
    "must be above 0",
)


@flags.multi_flags_validator(
    ["warmup_epochs", "epochs", "lr_schedule"],
    "--warmup_epochs needs --lr_schedule=cosine and must be below --epochs",
)
def _check_warmup(values):
    return values["warmup_epochs"] == 0 or (
        values["lr_schedule"] == "cosine"
        and values["warmup_epochs"] < values["epochs"]
    )


def _is_part(name):
    def check(text):
        try:
            if text is not None:
                methods.part(name, text, steps=1)
            return True
        except ValueError as error:
            raise flags.ValidationError(str(error)) from error

    return check


for _name in methods.PARTS:
    flags.register_validator(_name, _is_part(_name))


@flags.multi_flags_validator(
    ["rho_min", "rho", "method", "lr_schedule"],
    "--rho_min needs a learning rate that changes, and --rho or a --method "
    "that has a radius",
)
def _check_rho_min(values):
    recipe = keras_sam.recipes.RECIPES[values["method"]].arguments
    return values["rho_min"] is None or (
        values["lr_schedule"] != "constant"
        and (values["rho"] is not None or "rho" in recipe)
    )


def _is_strategy(name):
    if name in STRATEGIES:
        return True
    raise flags.ValidationError(
        f"--strategy={name} is not for {keras.backend.backend()}: write "
        f"{engine.strategies.instead(name)}"
    )


flags.register_validator("strategy", _is_strategy)


@flags.multi_flags_validator(
    ["strategy", "tpu"], "--strategy=tpu and --tpu need each other"
)
def _check_tpu(values):
    return (values["strategy"] == "tpu") == bool(values["tpu"])


def settings():
    """Returns the value of every flag above, as attributes."""
    defined = _FLAGS.flags_by_module_dict()[__name__]
    return types.SimpleNamespace(**{flag.name: flag.value for flag in defined})

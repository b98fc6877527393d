"""Named recipes: every setting of encoder, head and training that goes together.

"fast" is for the base row and all like it, up to seven latents: a narrow encoder, and batches that
grow.
"broad" is for classes that overlap so much that a sample says little: more steps, larger batches.
"medium" is for some ten latents, where so narrow an encoder and such batches fall short.
"flat" is for few classes (C near d) or far-apart ones (kappa near 50), where the loss is flat in
some latents and there are valleys without them: extra dimensions, shared rows, many steps, and up
to three starts.
"wide" is for twenty latents: a wider encoder, lower rates, more and larger steps, shared rows.
"flow" is for more: the encoder starts from observations alone, as the invertible network that makes
them most nearly normal, and labels only have to keep it there: low rates.
"crowded" is for cluster vectors that huddle together (normal, Laplace), where unit norm stretches
the map as long as the rows are noisy: shared rows, larger last batches.
"pixels" is for rendered images: a small convolutional network, fewer and smaller steps, extra
dimensions and labels that walk, without which h is folded on some seeds.
Heads of unit norm are free for the first 80 % in all eight.
"paper" is the protocol of arXiv:2410.21869, section 4.1, as its official code runs it:
Adam at a constant 1e-3, batch 1,024, full softmax, 500,000 steps.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from identikit.core.errors import unknown_name
from identikit.encoders.config import EncoderConfig
from identikit.objectives.config import HeadConfig
from identikit.training.config import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Encoder, head and training of one named way to train."""

    help: str = field(default="", compare=False)
    """What it is for, in a few words."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


RECIPES = {
    "fast": Recipe(
        help="for the base row and all like it",
        encoder=EncoderConfig(width=32),
        head=HeadConfig(group=64, negatives=32),
        training=TrainingConfig(steps=1200, final_batch_size=4096, muon_rate=0.4),
    ),
    "broad": Recipe(
        help="for classes that overlap very much",
        encoder=EncoderConfig(width=32),
        head=HeadConfig(group=64, negatives=32),
        training=TrainingConfig(steps=4800, final_batch_size=8192, head_rate=0.02, muon_rate=0.4),
    ),
    "medium": Recipe(help="for some ten latents", training=TrainingConfig(steps=3000)),
    "flat": Recipe(
        help="for few or far-apart classes",
        encoder=EncoderConfig(width=32),
        head=HeadConfig(extra_dimensions=5, tied_rows=True),
        training=TrainingConfig(
            steps=12_000, starts=3, final_batch_size=4096, muon_rate=0.4, head_rate=0.03
        ),
    ),
    "wide": Recipe(
        help="for some twenty latents",
        encoder=EncoderConfig(width=128),
        head=HeadConfig(tied_rows=True),
        training=TrainingConfig(steps=6000, final_batch_size=16384, rate=1e-2, muon_momentum=0.95),
    ),
    "flow": Recipe(
        help="for many latents, seen through as many observations",
        encoder=EncoderConfig(architecture="flow"),
        training=TrainingConfig(
            steps=1500,
            final_batch_size=4096,
            rate=1e-4,
            head_rate=3e-2,
            muon_rate=1e-4,
            muon_momentum=0.95,
        ),
    ),
    "crowded": Recipe(
        help="for cluster vectors that huddle together",
        head=HeadConfig(tied_rows=True),
        training=TrainingConfig(steps=2000, final_batch_size=4096),
    ),
    "pixels": Recipe(
        help="for rendered images",
        encoder=EncoderConfig(architecture="cnn"),
        head=HeadConfig(extra_dimensions=20, label_diffusion=3),
        training=TrainingConfig(
            steps=600, batch_size=256, optimizer="adam", rate=3e-3, head_rate=3e-2
        ),
    ),
    "paper": Recipe(
        help="the protocol of arXiv:2410.21869, hours long",
        encoder=EncoderConfig(architecture="paper", negative_slope=0.01, whiten=False),
        head=HeadConfig(negatives=None, late_sphere=False),
        training=TrainingConfig(
            steps=500_000,
            optimizer="adam",
            rate=1e-3,
            head_rate=1e-3,
            second_moment=0.999,
            schedule="constant",
            warmup=0.0,
        ),
    ),
}
if TYPE_CHECKING:
    RecipeName: TypeAlias = str
else:
    RecipeName = Literal[tuple(RECIPES)]


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        InputError: no such recipe.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]

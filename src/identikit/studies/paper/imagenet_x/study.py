"""How an ImageNet-X run is made, saved and drawn."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.paper.imagenet_x.config import ImageNetXConfig
from identikit.studies.paper.imagenet_x.page import imagenet_x_page
from identikit.studies.paper.imagenet_x.result import ImageNetXResult
from identikit.studies.paper.imagenet_x.run import run_imagenet_x


def _compute(config: ImageNetXConfig, context: Context) -> tuple[ImageNetXResult, Arrays]:
    return run_imagenet_x(config, context.draft, on_progress=context.tell), {}


IMAGENET_X = Study(
    name="reproduce imagenet-x",
    result=ImageNetXResult,
    compute=_compute,
    page=imagenet_x_page,
)
"""`identikit reproduce imagenet-x`."""

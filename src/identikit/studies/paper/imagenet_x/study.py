"""How an ImageNet-X run is made, saved and drawn."""

from identikit.runs.store import Draft
from identikit.runs.study import Outcome, Study, Watch
from identikit.studies.paper.imagenet_x.config import ImageNetXConfig
from identikit.studies.paper.imagenet_x.page import imagenet_x_page
from identikit.studies.paper.imagenet_x.run import run_imagenet_x


def _compute(config: ImageNetXConfig, draft: Draft, on_progress: Watch | None) -> Outcome:
    return run_imagenet_x(config, draft, on_progress=on_progress).to_dict(), {}


IMAGENET_X: Study[ImageNetXConfig] = Study(
    command="reproduce imagenet-x",
    compute=_compute,
    page=imagenet_x_page,
    label=lambda config: "untrained" if config.untrained else "",
)

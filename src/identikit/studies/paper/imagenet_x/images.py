"""Which images a run is over."""

from identikit.studies.paper.imagenet_x.config import ImageNetXConfig
from identikit.worlds.imagenet_images import ValidationImages, find_validation_images
from identikit.worlds.imagenet_x import load_imagenet_x


def annotated_images(config: ImageNetXConfig) -> ValidationImages:
    """The annotated images that are there.

    Raises:
        InputError: a wrong folder, or images that are missing where not `partial`.
    """
    wanted = load_imagenet_x(config.annotation).number
    return find_validation_images(
        config.images, wanted, partial=config.partial, follow_links=config.follow_links
    )

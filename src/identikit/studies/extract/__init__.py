"""Images to features: any layer of any vision model over a folder of images, sharded on disk."""

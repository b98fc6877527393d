"""The experiments of arXiv:2410.21869 on images, as published."""

"""ImageNet-X: what ResNet-50 and ViT-B/16 know of 16 factors that people saw vary.

Section 4.3 and figure 3 of arXiv:2410.21869, with its procedure corrected and as published.
"""

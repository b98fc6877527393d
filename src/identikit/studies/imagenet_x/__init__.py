"""ImageNet-X: what ResNet-50 and ViT-B/16 know of 16 factors that people saw vary."""

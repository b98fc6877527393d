"""Does DIET find factors in pixels? Rendered worlds, COIL-20 and ETH-80."""

"""COIL-20: how linearly azimuth and object stand in what cross-entropy learns of photographs."""

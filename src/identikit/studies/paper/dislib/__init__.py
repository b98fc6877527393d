"""DisLib: classifiers of one factor of an image grid, and what is linearly in them of the others.

Section 4.2 and Table 4 of arXiv:2410.21869, by its protocol and by ours side by side.
"""

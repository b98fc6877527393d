"""`identikit unmix`: which components of a representation can be named?"""

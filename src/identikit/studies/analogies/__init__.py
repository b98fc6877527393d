"""`identikit analogies`: is a change of one factor, or from a word to its pair, one step?"""

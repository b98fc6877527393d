"""A training run on images as a study: run, saved, drawn."""

from identikit.runs.study import Study
from identikit.studies.train.page import train_page
from identikit.studies.train.result import TrainResult
from identikit.studies.train.run import compute

TRAIN = Study(name="train", result=TrainResult, compute=compute, page=train_page)
"""`identikit train`."""

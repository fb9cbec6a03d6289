"""Writes table.json of a sweep, on standard input, as event files: a run for each recipe, a tag for each network, a step for each count."""

import json
import os
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

runs = {}
for cell in json.load(sys.stdin):
    if "mean" in cell:
        runs.setdefault(cell["recipe"].replace("/", "-"), []).append(cell)
for recipe, cells in runs.items():
    writer = EventFileWriter(os.path.join(sys.argv[1], recipe))
    for cell in sorted(cells, key=lambda cell: cell["remainingWeights"]):
        value = Summary.Value(tag=cell["network"], simple_value=cell["mean"])
        writer.add_event(Event(wall_time=1.0, step=cell["remainingWeights"], summary=Summary(value=[value])))
    writer.close()

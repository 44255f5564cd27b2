"""From a photograph to faces: detector, canonical crop, shape predictor."""

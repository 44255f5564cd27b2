"""Running dlib's shape predictor trainer: options, presets, and the run itself."""

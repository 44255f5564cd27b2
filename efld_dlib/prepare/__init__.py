"""From annotated pictures to training data: boxes, split, crops, XML."""

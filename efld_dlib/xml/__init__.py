"""dlib's XML of annotated images: read, written, checked, described and edited."""

"""Training of the two light networks: one finds faces, one says where their landmarks lie roughly.

It needs PyTorch (``pip install efld-dlib[network]``), which only this folder imports; what runs the
trained files is `efld_dlib.detection`, through OpenCV alone.
"""

"""An encoder and a decoder that reverse digits."""

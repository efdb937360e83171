"""The one reader: an encoder, and a head that chooses between all spans of a passage, yes, no, and no answer."""

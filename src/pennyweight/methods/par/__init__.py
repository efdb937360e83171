"""PAR, Pay Attention when Required (Mandava et al. 2020, 2009.04534): the layer pattern of a transformer."""

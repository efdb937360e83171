"""``python -m pennyweight``, which torchrun starts too."""

from pennyweight.cli import main

main()

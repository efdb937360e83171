"""The index of a corpus: kept on the disk in generations, brought up to date, searched, and explained."""

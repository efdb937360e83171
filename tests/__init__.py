"""The tests, as a package: so that two folders may hold files of one name, and other processes import the toys."""

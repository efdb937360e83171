"""Documents that people have, as plain text with its headings, and the passages they are cut into."""

"""Array functions that the whole product stands on."""

"""A method that can break each promise of the contract on request, to show that the suite notices."""

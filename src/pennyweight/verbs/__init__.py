"""What each verb does, one module a verb. The command line parses and calls; these print and return."""

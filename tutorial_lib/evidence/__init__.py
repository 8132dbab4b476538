"""What records say: results by trial, tables, statistics, and the claims of the papers with a verdict on each."""

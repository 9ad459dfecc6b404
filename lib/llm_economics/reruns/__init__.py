"""The book under a reader's assumptions: execute notebooks, run, sweep, solve and compare. No formula is here."""

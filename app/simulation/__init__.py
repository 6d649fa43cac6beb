"""Years of the whole product on a virtual clock, with customers who behave, checked every day."""

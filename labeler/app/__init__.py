"""The pages. They draw; what they show comes from the store, and who may see it is checked in each."""

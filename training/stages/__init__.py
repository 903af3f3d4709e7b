"""What the stages of a run do: a module each, so that its imports are the code that it runs."""

"""Commands that measure, each behind figures that are published in docs/."""

"""From examples to a champion: training files and their gates, jobs, comparisons and the registry of models."""

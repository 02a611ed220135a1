"""The learner of counting time: passes over a pattern, steered by refinement."""

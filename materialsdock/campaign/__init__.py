"""One job from sample to outcome: made, built, measured, analysed."""

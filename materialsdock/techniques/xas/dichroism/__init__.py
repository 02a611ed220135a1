"""X-ray magnetic circular dichroism: moments by the sum rules."""

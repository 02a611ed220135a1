"""What two techniques write alike."""

"""What trials take: seconds of a machine from its records, and rented hours of GPUs from counted arithmetic."""

"""What is measured: values with labels, block and time; what could not be measured, and why."""

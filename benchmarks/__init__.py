"""What a run costs: calls beside the physical bound, processor time, memory, and the time from webhook to write."""

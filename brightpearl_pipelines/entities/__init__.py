"""The models of business things: pydantic for one, pandera for a frame of them. No I/O here, and no other room."""

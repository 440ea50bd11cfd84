"""Pictures: each draws a frame on an axes and returns the axes."""
